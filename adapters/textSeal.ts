// Encrypts texts to recipients' keys, in the form that the client library opens.

import { seal, sealedCharacters } from "../client/e2ee.ts";
import { LetheError } from "../domain/errors.ts";
import { Plaintext } from "../domain/plaintext.ts";
import type { RecipientKeyRecord } from "../domain/subject.ts";
import type { SenderKeys } from "./vault/senderKeys.ts";

export type TextSeal = ReturnType<typeof createTextSeal>;

type To = Pick<RecipientKeyRecord, "x" | "version">;

/** Functions that seal a `lethe2` text throw LetheError keys_unavailable while Vault is away and the sender's key is not held. */
export function createTextSeal({ senderKeys }: { senderKeys: SenderKeys }) {
	const keyOf = ({ x }: Pick<To, "x">) => ({ kty: "OKP", crv: "X25519", x }) as const;
	return {
		/** A text of as many characters, each a unit of an SMS, as `seal` makes of so many bytes under such an id. */
		outline: (to: To, messageId: string, textBytes: number): string =>
			"x".repeat(sealedCharacters(to.version, messageId, textBytes)),

		/** @param expiresAt when a `lethe2` text opens no more, epoch milliseconds */
		async seal(
			to: To,
			place: { tenantId: string; messageId: string; expiresAt: number },
			text: Plaintext,
		): Promise<Plaintext> {
			const { messageId } = place;
			const common = { messageId, text: text.reveal(), key: keyOf(to) };
			if (to.version === "lethe1") return Plaintext.text(await seal({ ...common, version: to.version }));
			const senderKey = await senderKeys.own(place.tenantId);
			return Plaintext.text(
				await seal({ ...common, version: to.version, senderKey, expiresAt: new Date(place.expiresAt) }),
			);
		},

		/** What only the holder of a key can answer. @throws LetheError invalid_request for a key that nothing can be encrypted to */
		async challenge(key: Pick<To, "x">, id: string, answer: string): Promise<string> {
			try {
				return await seal({ version: "lethe1", messageId: id, text: answer, key: keyOf(key) });
			} catch {
				// Of small order, or not on the curve: whoever has it could be anybody.
				throw new LetheError("invalid_request", { errors: [{ pointer: "/key/x", detail: "Not a key of X25519." }] });
			}
		},

		/** Has the tenant's own key ready, and shows what its texts open by. */
		async senderKeysOf(tenantId: string, { make }: { make: boolean }) {
			if (make) await senderKeys.own(tenantId);
			return senderKeys.publicKeys(tenantId);
		},
	};
}
