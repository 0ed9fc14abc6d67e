// Follows a job to its end, over lost connections.
import { ask, events, Refused } from "./api.ts";
import { isFinal } from "./record.ts";
import type { Frame, Job } from "./record.ts";

const pause = (ms: number, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        signal.addEventListener("abort", () => {
            clearTimeout(timer);
            resolve();
        });
    });

/** Tells of each state and each scored frame; gives the job that has ended, or null where it was told to stop. */
export async function follow(
    id: string,
    tell: { job?: (job: Job) => void; frame?: (frame: Frame) => void },
    signal: AbortSignal,
): Promise<Job | null> {
    for (let wait = 500; !signal.aborted; wait = Math.min(2 * wait, 8000)) {
        try {
            for await (const event of events(`/v1/jobs/${id}/events`, signal)) {
                wait = 500;
                if (event.name === "frame") {
                    tell.frame?.(JSON.parse(event.data) as Frame);
                    continue;
                }
                const job = JSON.parse(event.data) as Job;
                tell.job?.(job);
                if (isFinal(job.state)) return job;
            }
            // The stream ended ahead of the job: the service was stopped.
        } catch (e) {
            if (signal.aborted) return null;
            const retry = !(e instanceof Refused) || e.problem.status === 0 || e.problem.status >= 429;
            if (!retry) throw e;
        }
        await pause(wait, signal);
    }
    return null;
}

export function job(id: string): Promise<Job> {
    return ask<Job>(`/v1/jobs/${id}`);
}
