// One object of a message in clear, for whoever may read it out; erased is erased.

import type { Message, SealedObjectName } from "../domain/message.ts";
import type { ActivityDeps } from "./deps.ts";

/** In clear, or undefined once it was erased, or where only its recipient can decrypt it. @throws LetheError keys_unavailable */
export async function decryptObject(
	{ encryption }: { encryption: Pick<ActivityDeps["encryption"], "decrypt"> },
	message: Message,
	object: SealedObjectName,
): Promise<string | undefined> {
	const sealed = message[object];
	if (!sealed || (object === "content" && message.link)) return undefined;
	try {
		const { tenantId, _id: messageId } = message;
		return (await encryption.decrypt({ tenantId, messageId, object, sealed })).reveal();
	} catch (error) {
		if ((error as { code?: string }).code === "content_erased") return undefined;
		throw error;
	}
}
