// One request to the API and its answer: where the connection breaks once it stood, what was asked for may have been done.

import { Refusal } from "./run.ts";

export type Asked = {
	method: string;
	path: string;
	bearer: string | undefined;
	idempotencyKey?: string | undefined;
	body?: object | undefined;
	/** What is said behind "broke off": whether it may have been done, and how to repeat it. */
	brokeOff: string;
};

/** Failures of a connection that stood: the request may have reached the API. */
const brokenOff = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET", "UND_ERR_HEADERS_TIMEOUT"]);

/** The API's answer as far as its headers. @throws Refusal when nothing answers, or the connection breaks */
export async function ask(url: string, asked: Asked): Promise<Response> {
	const { method, path, bearer, idempotencyKey, body } = asked;
	try {
		return await fetch(new URL(path, url), {
			method,
			headers: {
				...(bearer ? { authorization: `Bearer ${bearer}` } : {}),
				...(body ? { "content-type": "application/json" } : {}),
				...(idempotencyKey ? { "idempotency-key": idempotencyKey } : {}),
			},
			...(body ? { body: JSON.stringify(body) } : {}),
		});
	} catch (error) {
		const { cause } = error as { cause?: { code?: string } };
		if (brokenOff.has(cause?.code ?? "")) refuseBrokenOff(url, asked);
		throw new Refusal(`the API at ${url} does not answer. Is it running? See \`lethe doctor\`.`);
	}
}

/** The whole text of an answer. @throws Refusal when it breaks off */
export async function readAnswer(response: Response, url: string, asked: Asked): Promise<string> {
	try {
		return await response.text();
	} catch {
		return refuseBrokenOff(url, asked);
	}
}

export function refuseBrokenOff(url: string, { brokeOff }: Pick<Asked, "brokeOff">): never {
	throw new Refusal(`the API at ${url} broke off${brokeOff}`);
}
