// "This is wrong": what somebody knows of a file.
import { useState } from "preact/hooks";
import { ask, send } from "../api.ts";
import { t, when } from "../messages/index.ts";
import type { Remark } from "../record.ts";
import { say } from "../say.ts";
import { Failure, useAnswer } from "./basics.tsx";

const SAYS = ["authentic", "generated", "manipulated"] as const;

export function FeedbackCard({ report }: { report: string }) {
    const [says, setSays] = useState<Remark["says"] | null>(null);
    const [note, setNote] = useState("");
    const [error, setError] = useState<unknown>(null);
    const [sent, setSent] = useState(false);
    const [own, reload] = useAnswer(
        async () => (await ask<{ feedback: Remark[] }>("/v1/feedback")).feedback.filter((r) => r.report === report),
        [report],
    );
    const submit = async (e: Event) => {
        e.preventDefault();
        if (says === null) return;
        try {
            await send("/v1/feedback", { report, says, note });
            setSays(null);
            setNote("");
            setError(null);
            setSent(true);
            say(t("feedback.sent"));
            reload();
        } catch (e) {
            setError(e);
        }
    };
    const remove = async (remark: Remark) => {
        try {
            await ask(`/v1/feedback/${remark.id}`, { method: "DELETE" });
            setSent(false);
            reload();
        } catch (e) {
            setError(e);
        }
    };
    return (
        <section class="card" aria-labelledby="feedback">
            <h2 id="feedback">{t("feedback.title")}</h2>
            <p class="soft">{t("feedback.about")}</p>
            <form onSubmit={submit}>
                <fieldset>
                    <legend>{t("feedback.says")}</legend>
                    <div class="row">
                        {SAYS.map((word) => (
                            <label key={word} class="check">
                                <input
                                    type="radio"
                                    name="says"
                                    required
                                    checked={says === word}
                                    onChange={() => setSays(word)}
                                />
                                {t(`feedback.${word}`)}
                            </label>
                        ))}
                    </div>
                </fieldset>
                <label class="field">
                    {t("feedback.note")}
                    <textarea rows={2} maxLength={2000} value={note} onInput={(e) => setNote(e.currentTarget.value)} />
                </label>
                <button type="submit">{t("feedback.send")}</button>
            </form>
            {sent && <p class="notice good">{t("feedback.sent")}</p>}
            {error !== null && <Failure error={error} />}
            {own.value && own.value.length > 0 && (
                <>
                    <h3>{t("feedback.own")}</h3>
                    <ul class="points">
                        {own.value.map((remark) => (
                            <li key={remark.id} class="remark">
                                <span>
                                    {t("feedback.remark", { says: t(`feedback.${remark.says}`) })} {remark.note}
                                    <small>{when(remark.created)}</small>
                                </span>
                                <button type="button" class="plain" onClick={() => remove(remark)}>
                                    {t("feedback.delete")}
                                </button>
                            </li>
                        ))}
                    </ul>
                </>
            )}
        </section>
    );
}
