// Read, decide, apply, and again when another driver was faster: the loop behind every change that needs the document.

import { LetheError } from "../domain/errors.ts";
import type { Message } from "../domain/message.ts";
import type { Transition } from "../domain/transition.ts";

type Messages = {
	find: (id: string) => Promise<Message | undefined>;
	transition: (change: Transition) => Promise<boolean>;
};

// A message's state moves forward only: a driver that loses this often is looking at something else than a race.
const roundsMax = 8;

/**
 * Applies what `decide` makes of the message, on a fresh read after every lost race. `known` saves the first read.
 * Answers the message as it was before the change that took effect, or undefined when `decide` found nothing to do, or there
 * is no such message.
 * @throws LetheError store_unavailable when every race was lost: what was to be done may still have to be
 */
export async function change(
	messages: Messages,
	id: string,
	decide: (message: Message) => Transition | undefined,
	known?: Message,
): Promise<{ before: Message; applied: Transition } | undefined> {
	let message = known ?? (await messages.find(id));
	for (let round = 0; round < roundsMax; round++) {
		const transition = message && decide(message);
		if (!message || !transition) return undefined;
		if (await messages.transition(transition)) return { before: message, applied: transition };
		message = await messages.find(id);
	}
	throw new LetheError("store_unavailable", { cause: "lost every race" });
}
