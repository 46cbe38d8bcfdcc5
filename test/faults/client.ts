// Whoever sends among the faults: it repeats a request until it is answered, and a person may think better of it.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { fictionalPrefixes, magic, magicNumber } from "../../stack/carrier/magic.ts";
import type { Sent } from "./checker.ts";
import { createRandom } from "./schedule.ts";
import type { Targets } from "./targets.ts";

const lanes = 4;
const pauseMsMax = 2_000;
const batchShare = 0.15;
const batchMessages = 8;
const codeShare = 0.2;
// Were troubles the rule, the carrier would be left alone by its circuit most of the time.
const plainShare = 0.4;
const repeatShare = 0.1;
const laterShare = 0.15;
const laterMsMax = 30_000;
const cancelShare = 0.1;
const leaveShare = 0.1;
/** So long a request may go unanswered. */
export const acceptMsMax = 240_000;
const codeValidForMs = 30_000;
const erasureShare = 0.5;
const keptPauseMsMax = 6_000;

const usable = magic.map(({ name }) => name);
const codesOnly = ["no_receipt", "never_available"];

type Answer = { id: string; items?: { id: string }[]; state?: string; code?: string; retryable?: boolean };

/** A caller that repeats a request until it is answered, and some of those that were; it may think better of a message. */
export function createClient({ apiUrl, demo, keeper }: Pick<Targets, "apiUrl" | "demo" | "keeper">, seed: number) {
	const random = createRandom(seed + 1_000_000);
	// Numbers that behave normally, and that nothing else is sent to.
	const leavers = Array.from({ length: 50 }, (_, index) => `${fictionalPrefixes.us}${index + 50}`);
	const people = Array.from({ length: 50 }, (_, index) => `${fictionalPrefixes.usCalifornia}${index + 50}`);
	let sequence = 0;
	const pick = <T>(some: readonly T[]): T => some[Math.floor(random() * some.length)] as T;

	function draw(category: Sent["category"], key: string): Sent {
		const troubled = pick(category === "otp" ? usable : usable.filter((one) => !codesOnly.includes(one)));
		const name = random() < plainShare ? "delivered" : troubled;
		return {
			...{ key, category, magic: name, to: magicNumber(name), text: `Order ${seed}-${sequence++} is ready` },
			...{ ids: [], askedAt: Date.now(), answeredAt: 0 },
			...(category === "otp" ? { validForMs: codeValidForMs } : {}),
		};
	}

	/** Undefined when it was not answered. @throws for what is refused for good */
	async function ask(path: string, key: string, body: object, apiKey: string) {
		const headers = {
			authorization: `Bearer ${apiKey}`,
			"content-type": "application/json",
			"idempotency-key": key,
		};
		const request = { method: "POST", headers, body: JSON.stringify(body), signal: AbortSignal.timeout(15_000) };
		const response = await fetch(`${apiUrl}/v1/${path}`, request).catch(() => undefined);
		const answer = (await response?.json().catch(() => undefined)) as Answer | undefined;
		const isRefused = answer?.retryable === false && answer.code !== "not_cancellable";
		assert.ok(!isRefused, `${key}: ${JSON.stringify(answer)}`);
		return answer;
	}

	/** Until it is answered. */
	async function insist(path: string, key: string, body: object, apiKey = demo.apiKey): Promise<Answer> {
		for (const end = Date.now() + acceptMsMax; ; await sleep(200)) {
			const answer = await ask(path, key, body, apiKey);
			if (answer && !answer.retryable) return answer;
			assert.ok(Date.now() < end, `${key} was not answered in time`);
		}
	}

	async function send(key: string, drawn: Sent[]): Promise<void> {
		const isBatch = drawn.length > 1;
		const one = ({ to, text }: Sent) => ({ to, body: text });
		const shared =
			drawn[0]?.category === "otp"
				? { category: "otp", dataClasses: ["contact", "otp_secret"], validFor: `PT${codeValidForMs / 1000}S` }
				: { category: "transactional", dataClasses: ["contact"] };
		const [{ sendAt }] = drawn as [Sent];
		const when = sendAt === undefined ? {} : { sendAt: new Date(sendAt).toISOString() };
		const body = isBatch ? { messages: drawn.map(one) } : one(drawn[0] as Sent);
		const apiKey = drawn[0]?.isKept ? keeper.apiKey : demo.apiKey;
		const answer = await insist(isBatch ? "batches" : "messages", key, { ...shared, ...when, ...body }, apiKey);
		const ids = isBatch ? answer.items?.map(({ id }) => id) : [answer.id];
		for (const [index, message] of drawn.entries()) {
			message.ids.push(ids?.[index] ?? "none");
			message.answeredAt ||= Date.now();
		}
	}

	/** Of a number that only this message goes to. */
	async function optOut(drawn: Sent): Promise<void> {
		await insist("opt-outs", `${drawn.key}-opt-out`, { number: drawn.to, scope: "all" });
		drawn.blockedAt = Date.now();
	}

	/** Whoever it went to wants to be forgotten, and is who they say. */
	async function askErasure(drawn: Sent): Promise<void> {
		const asked = { kind: "erasure", number: drawn.to, recipientRegion: "US-CA", channel: "letter" };
		const { id } = await insist("subject-requests", `${drawn.key}-erasure`, asked, keeper.apiKey);
		const identity = { confirmed: true, method: "id_document", evidence: "case-1", ownedFrom: "2020-01-01T00:00:00Z" };
		await insist(`subject-requests/${id}/identity`, `${drawn.key}-identity`, identity, keeper.apiKey);
		drawn.blockedAt = Date.now();
		drawn.erasure = id;
	}

	async function cancel(drawn: Sent): Promise<void> {
		const { state } = await insist(`messages/${drawn.ids[0]}/cancel`, `${drawn.key}-cancel`, {});
		drawn.cancel = state === "cancelled" ? "granted" : "refused";
	}

	/** Sends until the signal aborts. */
	async function load(signal: AbortSignal): Promise<Sent[]> {
		const sent: Sent[] = [];
		const lane = async (number: number) => {
			for (let index = 0; !signal.aborted; index++) {
				const key = `faults-${seed}-${number}-${index}`;
				const category = random() < codeShare ? "otp" : "transactional";
				const count = category === "transactional" && random() < batchShare ? batchMessages : 1;
				const drawn = Array.from({ length: count }, () => draw(category, key));
				const [isLater, isRepeated, isCancelled, mayLeave] = [laterShare, repeatShare, cancelShare, leaveShare].map(
					(share) => random() < share,
				);
				const leaver = mayLeave && count === 1 && category !== "otp" ? leavers.pop() : undefined;
				const [laterMs, pauseMs] = [laterMsMax, pauseMsMax].map((most) => random() * most) as [number, number];
				if (leaver) Object.assign(drawn[0] as Sent, { to: leaver, magic: "delivered" });
				if ((isLater || leaver) && category !== "otp")
					for (const one of drawn) one.sendAt = Math.ceil(Date.now() + laterMs);
				await send(key, drawn);
				if (isRepeated) await send(key, drawn);
				if (leaver) await optOut(drawn[0] as Sent);
				else if (isCancelled) await cancel(drawn[0] as Sent);
				sent.push(...drawn);
				await sleep(pauseMs);
			}
		};
		await Promise.all([...Array.from({ length: lanes }, (_, number) => lane(number)), keep(signal, sent)]);
		return sent;
	}

	/** Sends for the tenant that keeps what it sends, to a person each. */
	async function keep(signal: AbortSignal, sent: Sent[]): Promise<void> {
		for (const [index, to] of people.entries()) {
			if (signal.aborted) return;
			const key = `faults-${seed}-kept-${index}`;
			const drawn: Sent = { ...draw("transactional", key), magic: "delivered", to, isKept: true };
			const pauses = [random() * keptPauseMsMax, random() * keptPauseMsMax] as const;
			const isErased = random() < erasureShare;
			await send(key, [drawn]);
			await sleep(pauses[0]);
			if (isErased) await askErasure(drawn);
			sent.push(drawn);
			await sleep(pauses[1]);
		}
	}

	return { load };
}
