// What the page of a secure link asks: whether it opens, what it opens, and that it was read. Each answer is on record before it is given.

import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import { claimLink, confirmLink, type LinkStanding, pinsLeft, refusePin, standingOfLink } from "../domain/link.ts";
import type { LinkRecord } from "../domain/linkRecord.ts";
import type { Message } from "../domain/message.ts";
import type { Plaintext } from "../domain/plaintext.ts";
import type { Transition } from "../domain/transition.ts";
import type { ApiDeps } from "./deps.ts";
import { isAmong } from "./isAmong.ts";

export type LinksDeps = Pick<ApiDeps, "clock" | "encryption" | "hmac" | "linkSeal"> & {
	store: { messages: Pick<ApiDeps["store"]["messages"], "findByLink" | "transition"> };
};

/**
 * `opened`: `sealed` is for the page that asked alone. `unreadable`: it does not hold the fragment, or what it asked was
 * changed on its way. All else says why nothing is opened.
 */
export type LinkAnswer =
	| { state: "opened"; sealed: string }
	| { state: "wrong_pin"; pinsLeft: number }
	| { state: "unknown" | "unreadable" }
	| { state: Exclude<LinkStanding, "open"> };

type Found = { message: Message; link: LinkRecord; standing: LinkStanding };
type Channel = ReturnType<LinksDeps["linkSeal"]["openChannel"]>;
type Step = { answer: LinkAnswer; change?: Transition };

// Of guesses that come at once each round counts one, and after the last none.
const roundsMax = 4 * limits.linkWrongPinsMax;

export function createLinks(deps: LinksDeps) {
	/** Undefined where there is no link, or none that anybody can have. Nothing is changed by looking. */
	async function look(pathId: string): Promise<Found | undefined> {
		const hash = deps.linkSeal.hashOf(pathId);
		const message = hash === undefined ? undefined : await deps.store.messages.findByLink(hash);
		const standing = message && standingOfLink(message, deps.clock());
		return message?.link && standing ? { message, link: message.link, standing } : undefined;
	}

	/** What is asked in `sealed`, by the page whose public key is given. @throws LetheError keys_unavailable, store_unavailable */
	async function ask(pathId: string, asked: { key: string; sealed: string }): Promise<LinkAnswer> {
		for (let round = 0; round < roundsMax; round++) {
			const found = await look(pathId);
			if (!found) return { state: "unknown" };
			if (found.standing !== "open" && found.standing !== "claimed") return { state: found.standing };
			const content = await decrypt(deps, found.message);
			if (!content) return { state: "erased" };
			try {
				const { answer, change } = await step(
					found,
					() => deps.linkSeal.openChannel(content, pathId, asked.key),
					asked,
				);
				if (!change || (await deps.store.messages.transition(change))) return answer;
			} finally {
				content.wipe();
			}
		}
		throw new LetheError("store_unavailable", { cause: "lost every race" });
	}

	async function step({ message, link }: Found, open: () => Channel, { sealed }: { sealed: string }): Promise<Step> {
		const now = deps.clock();
		const asked = attempt(() => {
			const channel = open();
			return { channel, request: channel.read(sealed) };
		});
		if (!asked?.request.holdsFragment) return { answer: { state: "unreadable" } };
		const { channel, request } = asked;
		const isHolder = link.session === request.session;
		if (link.state === "claimed" && !isHolder) return { answer: { state: "claimed" } };
		if (request.act === "confirm") {
			if (link.state !== "claimed") return { answer: { state: "unreadable" } };
			return { answer: { state: "read" }, change: confirmLink(message, link, now) };
		}
		if (channel.pin && !(await isPin(deps, message._id, channel.pin, request.proof))) {
			const change = refusePin(message, link, now);
			const left = pinsLeft({ ...link, wrongPins: link.wrongPins + 1 });
			return { answer: left > 0 ? { state: "wrong_pin", pinsLeft: left } : { state: "closed" }, change };
		}
		const change = claimLink(message, link, request.session, now);
		return { answer: { state: "opened", sealed: channel.answer() }, change };
	}

	return { look, ask };
}

async function isPin(
	{ hmac }: LinksDeps,
	messageId: string,
	expected: NonNullable<Channel["pin"]>,
	proof = "",
): Promise<boolean> {
	const macs = (await hmac.allMacs("code", undefined, `link ${messageId} ${proof}`)).map(({ mac }) => mac);
	return isAmong(macs, expected.mac);
}

async function decrypt({ encryption }: LinksDeps, message: Message): Promise<Plaintext | undefined> {
	const { tenantId, _id: messageId, content: sealed } = message;
	if (!sealed) return undefined;
	try {
		return await encryption.decrypt({ tenantId, messageId, object: "content", sealed });
	} catch (error) {
		if ((error as LetheError).code === "content_erased") return undefined;
		throw error;
	}
}

// What a page sends may be anything.
function attempt<T>(run: () => T): T | undefined {
	try {
		return run();
	} catch {
		return undefined;
	}
}
