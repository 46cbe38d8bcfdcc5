// Tags under plain texts: keyed hashes, so that whether a text is ours is told without keeping it.

import type { Plaintext } from "../domain/plaintext.ts";
import { formatTag, splitTag, taggedText } from "../domain/textTag.ts";
import type { ApiDeps } from "./deps.ts";
import { isAmong } from "./isAmong.ts";

export type TextTagsDeps = Pick<ApiDeps, "hmac">;

/** `number` is in E.164: a text to one number is none to another. The functions throw LetheError keys_unavailable. */
export function createTextTags({ hmac }: TextTagsDeps) {
	const saidOf = (tenantId: string, number: Plaintext, text: string) =>
		JSON.stringify([tenantId, number.reveal(), taggedText(text)]);
	// Without the key version that the hash begins with.
	const toTag = (mac: string) => formatTag(Buffer.from(mac.slice(mac.indexOf(".") + 1), "base64url"));

	return {
		tagOf: async (tenantId: string, number: Plaintext, text: string): Promise<string> =>
			toTag((await hmac.mac("tag", undefined, saidOf(tenantId, number, text))).mac),

		/** Whether the tenant sent this text, which ends in its tag, to that number. */
		async isOurs(tenantId: string, number: Plaintext, copied: Plaintext): Promise<boolean> {
			const written = splitTag(copied.reveal());
			if (!written) return false;
			const macs = await hmac.allMacs("tag", undefined, saidOf(tenantId, number, written.text));
			return isAmong(
				macs.map(({ mac }) => toTag(mac)),
				written.tag,
			);
		},
	};
}
