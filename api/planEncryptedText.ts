// How a message goes end-to-end encrypted: to the recipient's key before anything stores it, so that nobody here reads it again.

import { LetheError } from "../domain/errors.ts";
import { formatId, idBytes } from "../domain/ids.ts";
import { limits } from "../domain/limits.ts";
import type { Plaintext } from "../domain/plaintext.ts";
import type { RecipientKeyRecord } from "../domain/subject.ts";
import { addDuration } from "../policies/cohorts.ts";
import type { ApiDeps } from "./deps.ts";
import type { Judgement } from "./judge.ts";

export type EncryptedTextDeps = Pick<ApiDeps, "textSeal">;

// Ids are all as long.
const anyId = formatId("message", new Uint8Array(idBytes));

/** @throws LetheError invalid_request for a text that is too long once it is encrypted; `prepare` throws keys_unavailable */
export function planEncryptedText(
	{ textSeal }: EncryptedTextDeps,
	{ decision, closeAt }: Pick<Judgement, "decision" | "closeAt">,
	{ tenantId, body, key, now }: { tenantId: string; body: Plaintext; key: RecipientKeyRecord; now: number },
) {
	const fits = (bytes: number) => textSeal.outline(key, anyId, bytes).length <= limits.textCharactersMax;
	const outline = textSeal.outline(key, anyId, body.bytes().length);
	if (outline.length > limits.textCharactersMax) {
		let most = limits.textCharactersMax;
		while (!fits(most)) most--;
		const detail = `Encrypted it is too long for ten SMS: shorten it to ${most} bytes of UTF-8, make several messages of it, or send it by secure_link.`;
		throw new LetheError("invalid_request", { errors: [{ pointer: "/body", detail }] });
	}
	const { contentRetentionMax } = decision;
	// The phone may read it as long as it might have been kept here, and at least while it is on its way.
	const keptUntil = contentRetentionMax === undefined ? 0 : addDuration(now, contentRetentionMax);
	const expiresAt = Math.max(closeAt, keptUntil);
	return {
		outline,
		prepare: async (messageId: string) => ({
			content: await textSeal.seal(key, { tenantId, messageId, expiresAt }, body),
			recipientKeyId: key._id,
		}),
	};
}
