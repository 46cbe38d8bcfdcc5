// Registers a recipient's key: asks for its challenge, opens it, and hands the answer in.

import { open, type PrivateKey, publicKeyOf } from "../client/e2ee.ts";
import type { TextVersion } from "../domain/subject.ts";

type Post = (path: string, body: object) => Promise<unknown>;

export const recipientKeysPath = "/v1/recipient-keys";

/**
 * Answers what the API says of the key. The private half stays here.
 * @param post answers the body; it throws what it takes for a failure
 * @throws TextRefused when what the API encrypted to the key does not open
 */
export async function registerKey(
	post: Post,
	{ number, version, own }: { number: string; version: TextVersion; own: PrivateKey },
): Promise<unknown> {
	const body = { number, key: publicKeyOf(own), version };
	const { challenge } = (await post(`${recipientKeysPath}/challenges`, body)) as { challenge: string };
	const { text: answer } = await open(challenge, { key: own, seen: null });
	return post(recipientKeysPath, { ...body, answer });
}
