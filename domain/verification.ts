// One-time codes of one number: who may be sent another, how often one may be guessed, when one has served. NIST SP 800-63B-4.

import { limits } from "./limits.ts";

/** A host as it stands in the last line of an origin-bound code: lower case, no port. */
export const hostPattern = /^(?=.{1,64}$)(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,24}$/;

/** What became of a code. `locked`: guessed at too often, this code or the number's codes of a day together. */
export type VerificationState = "pending" | "approved" | "locked" | "expired" | "replaced";

/** What a check came to. */
export type CheckOutcome = "approved" | "wrong" | "used" | Exclude<VerificationState, "pending" | "approved">;

/** The code sent last. Its keyed hash is there only while it may still be right. Times are epoch milliseconds. */
type Code = {
	id: string;
	mac?: { version: number; mac: string };
	digits: number;
	createdAt: number;
	expiresAt: number;
	attempts: number;
	state: "pending" | "approved" | "locked";
	/** The request that it has served. */
	servedTo?: string;
};

/** All codes of one tenant and number: only the last one counts, and what was sent and guessed before counts against it. */
export type Verification = {
	/** Derived from tenant and pseudonym. */
	_id: string;
	tenantId: string;
	/** Ids of its codes, the last one's last. */
	ids: string[];
	current: Code;
	/** When codes were sent, and wrongly guessed, within a day; the oldest first. */
	sends: number[];
	failures: number[];
	/** Rises with every change: of two at once one counts. */
	revision: number;
	nextCheckAt: number;
};

/** Takes down that a code is about to be sent; or answers from when on one may be. */
export function issue(
	known: Verification | undefined,
	place: Pick<Verification, "_id" | "tenantId">,
	code: Required<Pick<Code, "id" | "mac">> & Pick<Code, "digits" | "expiresAt">,
	now: number,
): { record: Verification } | { retryAt: number } {
	const sends = within(known?.sends, now);
	const failures = within(known?.failures, now);
	const retryAt = nextSendAt(sends, failures, now);
	if (retryAt > now) return { retryAt };
	const record: Verification = {
		...place,
		ids: [...(known?.ids ?? []).filter((id) => id !== code.id), code.id].slice(-limits.verificationIdsKeptMax),
		current: { ...code, createdAt: now, attempts: 0, state: "pending" },
		sends: [...sends, now],
		failures,
		revision: (known?.revision ?? 0) + 1,
		nextCheckAt: code.expiresAt,
	};
	return { record };
}

/** Takes back what was not sent after all: a code of `before` that is on its way is as right as it was. */
export function withdraw(issued: Verification, before: Verification | undefined): Verification {
	if (before) return { ...before, revision: issued.revision + 1 };
	return changed(issued, { current: locked(issued.current), sends: issued.sends.slice(0, -1) });
}

/** Has what may be right be right no more, after a restore: whether it has served since the copy was made, nobody here knows. */
export function lock(record: Verification): Verification | undefined {
	return record.current.state === "pending" ? changed(record, { current: locked(record.current) }) : undefined;
}

/**
 * Counts one guess. `isRight` is what the comparison said; it counts for nothing unless the code may still be right.
 * `request`: whose guess it is; the one that a code has served may ask again, since its answer may have been lost.
 */
export function check(
	record: Verification,
	id: string,
	isRight: boolean,
	{ now, request }: { now: number; request: string },
): { outcome: CheckOutcome; record?: Verification } {
	const { current } = record;
	const state = stateOf(record, id, now);
	if (state === "approved") return { outcome: current.servedTo === request ? "approved" : "used" };
	if (state !== "pending") return { outcome: state };
	const { mac: _, ...served } = current;
	if (isRight) {
		return {
			outcome: "approved",
			record: changed(record, { current: { ...served, state: "approved", servedTo: request }, failures: [] }),
		};
	}
	const attempts = current.attempts + 1;
	const failures = [...within(record.failures, now), now];
	const isLocked = attempts >= limits.verificationAttemptsMax || failures.length >= limits.verificationFailuresMax;
	const next: Code = isLocked ? locked({ ...current, attempts }) : { ...current, attempts };
	return { outcome: "wrong", record: changed(record, { current: next, failures }) };
}

/** How a code of the record's stands. */
export function stateOf(record: Verification, id: string, now: number): VerificationState {
	const { current } = record;
	if (current.id !== id) return "replaced";
	if (current.state !== "pending") return current.state;
	// A clock that was set back makes no code live longer than it was made for.
	return now >= current.expiresAt || now < current.createdAt - limits.clockSkewMs ? "expired" : "pending";
}

/** How often it may still be guessed. */
export function attemptsLeftOf(record: Verification, id: string, now: number): number {
	if (stateOf(record, id, now) !== "pending") return 0;
	const byNumber = limits.verificationFailuresMax - within(record.failures, now).length;
	return Math.max(0, Math.min(limits.verificationAttemptsMax - record.current.attempts, byNumber));
}

/** When another code may be sent: at least `now`. */
export function resendAtOf({ sends, failures }: Verification, now: number): number {
	return nextSendAt(within(sends, now), within(failures, now), now);
}

/** What is left of a record whose time has come: without its code's hash, or nothing once all of it is a day old. */
export function tidy(record: Verification, now: number): Verification | undefined {
	const [sends, failures] = [within(record.sends, now), within(record.failures, now)];
	if (record.current.expiresAt > now) return changed(record, {});
	if (sends.length === 0 && failures.length === 0) return undefined;
	const { mac: _, ...current } = record.current;
	const last = Math.max(...sends, ...failures);
	return { ...changed(record, { current, sends, failures }), nextCheckAt: last + limits.verificationWindowMs };
}

function locked({ mac: _, ...code }: Code): Code {
	return { ...code, state: "locked" };
}

function changed(record: Verification, change: Partial<Verification>): Verification {
	return { ...record, ...change, revision: record.revision + 1 };
}

function within(times: readonly number[] = [], now: number): number[] {
	return times.filter((at) => at > now - limits.verificationWindowMs);
}

// Each wait is twice the one before, by the codes of an hour: whoever pumps messages to a number gets few of them.
function nextSendAt(sends: number[], failures: number[], now: number): number {
	const nth = (times: number[], max: number) => times.at(-max) ?? Number.NEGATIVE_INFINITY;
	const hourMs = 3600_000;
	const inHour = sends.filter((at) => at > now - hourMs).length;
	const cooldownMs = Math.min(limits.verificationCooldownMaxMs, limits.verificationCooldownMs * 2 ** (inHour - 1));
	return Math.max(
		now,
		inHour === 0 ? now : (sends.at(-1) ?? now) + cooldownMs,
		nth(sends, limits.verificationSendsPerHourMax) + hourMs,
		nth(sends, limits.verificationSendsPerDayMax) + limits.verificationWindowMs,
		nth(failures, limits.verificationFailuresMax) + limits.verificationWindowMs,
	);
}
