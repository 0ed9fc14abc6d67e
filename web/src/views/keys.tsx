// The key of this tab, and for administrators all keys of the service.
import { useId, useState } from "preact/hooks";
import { Refused, ask, key, reason, refused, send, setKey } from "../api.ts";
import { t, when } from "../messages/index.ts";
import { Confirm, Failure, Loading, Title, useAnswer } from "../parts/basics.tsx";
import type { ApiKey, Me, Scope } from "../record.ts";
import { say } from "../say.ts";
import { useStore } from "../store.ts";

const SCOPES: readonly Scope[] = ["scan", "read", "admin"];
/** What the service calls a caller without a key. */
const LOCAL = "local";

function scopes(me: Pick<Me, "scopes">): string {
    return me.scopes.map((s) => t(`keys.scope.${s}`)).join(", ");
}

/** Asks for a key where the service wants one. */
export function KeyForm({ done }: { done?: () => void }) {
    const [text, setText] = useState("");
    const [error, setError] = useState<unknown>(null);
    const id = useId();
    const submit = async (e: Event) => {
        e.preventDefault();
        const wanted = text.trim();
        if (!wanted) return;
        const before = key.value;
        try {
            // A key that the service does not know is not kept.
            const headers = { Authorization: `Bearer ${wanted}`, Accept: "application/json" };
            const answer = await fetch("/v1/me", { headers });
            if (!answer.ok) throw new Refused((await answer.json()) as Refused["problem"], null);
            setKey(wanted);
            setText("");
            done?.();
        } catch (e) {
            if (key.value !== before) setKey(before);
            setError(e);
        }
    };
    return (
        <form class="keyform" onSubmit={submit}>
            <label class="field" for={id}>
                {t("keys.own.label")}
            </label>
            <div class="row">
                <input
                    id={id}
                    type="password"
                    autocomplete="off"
                    spellcheck={false}
                    placeholder="rs_…"
                    value={text}
                    required
                    onInput={(e) => setText(e.currentTarget.value)}
                />
                <button type="submit" class="primary">
                    {t("keys.own.use")}
                </button>
            </div>
            {error !== null && (
                <p class="notice bad" role="alert">
                    {error instanceof Refused ? reason(error.problem) : t("error.network")}
                </p>
            )}
        </form>
    );
}

/** What stands in place of a view that takes a key. */
export function KeyWanted() {
    const problem = useStore(refused);
    return (
        <>
            <Title text={t("keys.wanted.title")} />
            <section class="card narrow">
                <p>{t("keys.wanted")}</p>
                {problem && problem.code !== "no_key" && <p class="notice bad">{reason(problem)}</p>}
                <KeyForm />
                <p class="soft">{t("keys.own.about")}</p>
            </section>
        </>
    );
}

export function KeysView() {
    const own = useStore(key);
    const [me, again] = useAnswer(() => ask<Me>("/v1/me"), [own]);
    return (
        <>
            <Title text={t("keys.title")} />
            {me.error !== undefined && <Failure error={me.error} retry={again} />}
            {me.value && <OwnKey me={me.value} />}
            {!me.value && me.error === undefined && <Loading />}
            {me.value &&
                (me.value.scopes.includes("admin") ? (
                    <AllKeys key={own} open={me.value.key === LOCAL} />
                ) : (
                    <p class="soft">{t("keys.scan_only")}</p>
                ))}
        </>
    );
}

function OwnKey({ me }: { me: Me }) {
    const values = { name: me.name, owner: me.owner, scopes: scopes(me) };
    return (
        <section class="card" aria-labelledby="own">
            <h2 id="own">{t("keys.own")}</h2>
            {me.key === LOCAL ? (
                <p>{t("keys.own.open")}</p>
            ) : (
                <p>{t(key.value === null ? "keys.own.other" : "keys.own.is", values)}</p>
            )}
            {key.value === null ? (
                me.key !== LOCAL && <KeyForm />
            ) : (
                <button type="button" onClick={() => setKey(null)}>
                    {t("keys.own.forget")}
                </button>
            )}
            {me.key !== LOCAL && <p class="soft">{t("keys.own.about")}</p>}
        </section>
    );
}

interface Shown extends ApiKey {
    key: string;
}

function AllKeys({ open }: { open: boolean }) {
    const [answer, again] = useAnswer(async () => (await ask<{ keys: ApiKey[] }>("/v1/keys")).keys, []);
    const [shown, setShown] = useState<Shown | null>(null);
    const [asked, setAsked] = useState<{ key: ApiKey; rotate: boolean } | null>(null);
    const [error, setError] = useState<unknown>(null);
    const revoke = (one: ApiKey) => {
        ask(`/v1/keys/${one.id}`, { method: "DELETE" }).then(again, setError);
    };
    const rotate = (one: ApiKey) => {
        ask<Shown>(`/v1/keys/${one.id}/rotate`, { method: "POST" }).then((fresh) => {
            setShown(fresh);
            again();
        }, setError);
    };
    const close = () => {
        setShown(null);
        // With the first key the service is closed: from here on this tab needs one.
        if (open) ask("/v1/me").catch(() => undefined);
        again();
    };
    return (
        <>
            {shown && <ShownKey shown={shown} close={close} />}
            {error !== null && <Failure error={error} />}
            {!shown && (
                <AddKey
                    first={open}
                    made={(fresh) => {
                        setShown(fresh);
                        if (!open) again();
                    }}
                />
            )}
            {answer.error !== undefined && !shown && <Failure error={answer.error} retry={again} />}
            {answer.value && answer.value.length > 0 && (
                <section class="card" aria-labelledby="all">
                    <h2 id="all">{t("keys.all")}</h2>
                    <table class="cards">
                        <thead>
                            <tr>
                                <th scope="col">{t("keys.name")}</th>
                                <th scope="col">{t("keys.owner")}</th>
                                <th scope="col">{t("keys.scopes")}</th>
                                <th scope="col">{t("keys.column.used")}</th>
                                <th scope="col">{t("keys.column.state")}</th>
                                <th scope="col">{t("keys.column.actions")}</th>
                            </tr>
                        </thead>
                        <tbody>
                            {answer.value.map((one) => (
                                <tr key={one.id} class={one.revoked ? "gone" : ""}>
                                    <th scope="row">{one.name}</th>
                                    <td>{one.owner}</td>
                                    <td>{scopes(one)}</td>
                                    <td>{one.used ? when(one.used) : t("keys.never")}</td>
                                    <td>{stateOf(one)}</td>
                                    <td>
                                        {!one.revoked && (
                                            <div class="row">
                                                <button
                                                    type="button"
                                                    class="plain"
                                                    aria-label={t("keys.rotate.of", { name: one.name })}
                                                    onClick={() => setAsked({ key: one, rotate: true })}
                                                >
                                                    {t("keys.rotate")}
                                                </button>
                                                <button
                                                    type="button"
                                                    class="plain"
                                                    aria-label={t("keys.revoke.of", { name: one.name })}
                                                    onClick={() => setAsked({ key: one, rotate: false })}
                                                >
                                                    {t("keys.revoke")}
                                                </button>
                                            </div>
                                        )}
                                    </td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </section>
            )}
            {asked && (
                <Confirm
                    title={t(asked.rotate ? "keys.rotate.title" : "keys.revoke.title", { name: asked.key.name })}
                    about={t(asked.rotate ? "keys.rotate.about" : "keys.revoke.about")}
                    yes={t(asked.rotate ? "keys.rotate" : "keys.revoke")}
                    done={() => (asked.rotate ? rotate(asked.key) : revoke(asked.key))}
                    close={() => setAsked(null)}
                />
            )}
        </>
    );
}

function stateOf(one: ApiKey): string {
    if (one.revoked) return t("keys.revoked");
    if (!one.expires) return t("keys.in_use");
    return new Date(one.expires) < new Date() ? t("keys.expired") : t("keys.until", { when: when(one.expires) });
}

function ShownKey({ shown, close }: { shown: Shown; close: () => void }) {
    const [copied, setCopied] = useState(false);
    const copy = async () => {
        await navigator.clipboard.writeText(shown.key);
        setCopied(true);
        say(t("keys.copied"));
    };
    return (
        <section class="card shown" role="alert">
            <h2>{shown.name}</h2>
            <p>{t("keys.shown")}</p>
            <p>
                <code>{shown.key}</code>
            </p>
            <div class="row">
                <button type="button" onClick={copy}>
                    {t(copied ? "keys.copied" : "keys.copy")}
                </button>
                <button
                    type="button"
                    onClick={() => {
                        setKey(shown.key);
                        close();
                    }}
                >
                    {t("keys.shown.use")}
                </button>
                <button type="button" class="primary" onClick={close}>
                    {t("keys.shown.close")}
                </button>
            </div>
        </section>
    );
}

function AddKey({ first, made }: { first: boolean; made: (shown: Shown) => void }) {
    const [name, setName] = useState("");
    const [owner, setOwner] = useState("");
    const [rate, setRate] = useState("");
    const [days, setDays] = useState("");
    const [may, setMay] = useState<readonly Scope[]>(first ? ["admin"] : ["scan", "read"]);
    const [error, setError] = useState<unknown>(null);
    const id = useId();
    const submit = async (e: Event) => {
        e.preventDefault();
        const wanted = {
            name,
            scopes: may,
            ...(owner ? { owner } : {}),
            ...(rate ? { rate: Number(rate) } : {}),
            ...(days ? { expires_days: Number(days) } : {}),
        };
        try {
            made(await send<Shown>("/v1/keys", wanted));
            setError(null);
            setName("");
        } catch (e) {
            setError(e);
        }
    };
    const tick = (scope: Scope, on: boolean) => setMay(SCOPES.filter((s) => (s === scope ? on : may.includes(s))));
    return (
        <section class="card" aria-labelledby="add">
            <h2 id="add">{t("keys.add")}</h2>
            {first && <p class="notice">{t("keys.add.first")}</p>}
            <form onSubmit={submit}>
                <div class="fields">
                    <label class="field">
                        {t("keys.name")}
                        <input required maxLength={64} value={name} onInput={(e) => setName(e.currentTarget.value)} />
                    </label>
                    <label class="field">
                        {t("keys.owner")}
                        <input
                            maxLength={64}
                            value={owner}
                            aria-describedby={`${id}-owner`}
                            onInput={(e) => setOwner(e.currentTarget.value)}
                        />
                        <small id={`${id}-owner`}>{t("keys.owner.about")}</small>
                    </label>
                    <label class="field">
                        {t("keys.rate")}
                        <input
                            type="number"
                            min="1"
                            value={rate}
                            aria-describedby={`${id}-rate`}
                            onInput={(e) => setRate(e.currentTarget.value)}
                        />
                        <small id={`${id}-rate`}>{t("keys.rate.about")}</small>
                    </label>
                    <label class="field">
                        {t("keys.days")}
                        <input
                            type="number"
                            min="1"
                            value={days}
                            aria-describedby={`${id}-days`}
                            onInput={(e) => setDays(e.currentTarget.value)}
                        />
                        <small id={`${id}-days`}>{t("keys.days.about")}</small>
                    </label>
                </div>
                <fieldset>
                    <legend>{t("keys.scopes")}</legend>
                    {SCOPES.map((scope) => (
                        <label key={scope} class="check">
                            <input
                                type="checkbox"
                                checked={may.includes(scope)}
                                onChange={(e) => tick(scope, e.currentTarget.checked)}
                            />
                            <span>
                                {t(`keys.scope.${scope}`)} <small>{t(`keys.scope.${scope}.about`)}</small>
                            </span>
                        </label>
                    ))}
                </fieldset>
                <button type="submit" class="primary" disabled={may.length === 0}>
                    {t("keys.make")}
                </button>
            </form>
            {error !== null && <Failure error={error} />}
        </section>
    );
}
