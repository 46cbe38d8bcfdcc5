// `lethe carrier verify CARRIER --request FILE`: whether recorded callbacks are the carrier's own, fresh and new. Needs no server.

import { Command } from "commander";
import type { CallbackRequest, Carrier, VerifyResult } from "../../adapters/carriers/carrier.ts";
import type { CallbackReason } from "../../adapters/carriers/reasons.ts";
import { verifiers as ofCarriers, verifierKeys } from "../../adapters/carriers/registry.ts";
import { exitCodes, Refusal, run } from "../run.ts";
import { verifyMessageSignature } from "./messageSignatures.ts";
import { readJsonFile } from "./readFile.ts";

// No carrier of ours signs so yet; what does is checked as the API checks its callers.
const verifiers = { ...ofCarriers, rfc9421: verifyMessageSignature, "http-message-signatures": verifyMessageSignature };

/** Whose signature covers the address: a record without it can't be judged. */
const signsUrl = new Set(["twilio", "plivo", "messagebird", "bird", "rfc9421", "http-message-signatures"]);

const keys = {
	...verifierKeys,
	rfc9421:
		"secret: text or base64 (HMAC); or publicKey or certificate: PEM, JWK or base64 of Ed25519's 32 bytes; algorithm: its registered name, optional",
	"http-message-signatures": "as rfc9421, which it is another name of",
};
const help = `
now         Unix seconds: when the callback came; freshness is judged by it
url         the public one, as the carrier called it, query and all; needed where it is signed
body        the raw text; for aws also the SNS message as an object
headers     an object; a header that is there several times has an array

What it is checked with, by carrier:
${Object.entries(keys)
	.map(([name, key]) => `  ${name.padEnd(24)}${key}`)
	.join("\n")}

Exit 0: valid, or an array was judged, whatever its verdicts; an item that can't be used has the reason "unusable" and
a line on standard error by its number, the first being 1. 1: one callback, not valid. 2: nothing could be judged.`;

type Verdict = { valid: boolean; reason: CallbackReason | null; events: object[] };

/** A recorded callback with what it is to be judged by. */
type Recorded = { request: CallbackRequest; verify: Carrier["verify"]; now: number; scope: string };

/** Exit 0: valid, or an array was judged; 1: not valid; 2: the input can't be used. */
export function verifyCommand(): Command {
	return new Command("verify")
		.description("check a recorded callback, or each of an array: then one verdict a line, repeats judged across it")
		.argument("<carrier>", `one of ${Object.keys(verifiers).join(", ")}`)
		.requiredOption(
			"--request <file>",
			"JSON {method, url, headers, body, secret | publicKey | certificate, algorithm?, now}, or an array of such",
		)
		.option("--json", "print JSON, as it does anyway")
		.addHelpText("after", help)
		.action((carrier: string, options: { request: string }) =>
			run("carrier verify", () => verify(carrier, options.request)),
		);
}

async function verify(name: string, file: string): Promise<number> {
	const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, "");
	const carrier = Object.keys(verifiers).find((each) => plain(each) === plain(name));
	if (carrier === undefined) {
		throw new Refusal(`no carrier is named so; there are: ${Object.keys(verifiers).join(", ")}.`);
	}
	const document = await readJsonFile(file);
	if (!Array.isArray(document)) {
		const verdict = judge(read(carrier, document, file), new Set());
		console.log(JSON.stringify(verdict));
		return verdict.valid ? exitCodes.yes : exitCodes.no;
	}
	const seen = new Set<string>();
	for (const [at, item] of document.entries()) {
		console.log(JSON.stringify(judgeItem(carrier, item, `${file}: item ${at + 1}`, seen)));
	}
	return exitCodes.yes;
}

// The others still get their line, so that verdicts and callbacks stay side by side.
function judgeItem(carrier: string, item: unknown, where: string, seen: Set<string>): Verdict {
	try {
		return judge(read(carrier, item, where), seen);
	} catch (error) {
		if (!(error instanceof Refusal)) throw error;
		console.error(`lethe carrier verify: ${error.message}`);
		return { valid: false, reason: "unusable", events: [] };
	}
}

/**
 * A callback counts once: what is signed the same was seen before, under the same secret. One that can't be read uses up none
 * that can: cut elsewhere, both may bear one signature.
 */
function judge({ request, verify, now, scope }: Recorded, seen: Set<string>): Verdict {
	const result = verify(request, now);
	if (!result.valid) return { valid: false, reason: result.reason, events: [] };
	const key = JSON.stringify([scope, result.replayKey, result.unread]);
	if (seen.has(key)) return { valid: false, reason: "replayed", events: [] };
	seen.add(key);
	return { valid: true, reason: null, events: describe(result) };
}

/** As `CarrierEvent` and `InboundMessage`; what a recipient wrote, and their number, stay unprinted. */
function describe({ events, messages }: VerifyResult): object[] {
	const receipts = events.map(({ at, ...event }) => ({ kind: "receipt", ...event, at: new Date(at).toISOString() }));
	const inbound = messages.map(({ eventId, to, at }) => ({
		kind: "inbound",
		eventId,
		to,
		at: new Date(at).toISOString(),
	}));
	return [...receipts, ...inbound];
}

/** @throws Refusal */
function read(carrier: string, value: unknown, where: string): Recorded {
	if (typeof value !== "object" || value === null) throw new Refusal(`${where} must be an object: see --help.`);
	const fields = value as Record<string, unknown>;
	const text = (name: string, otherwise?: string) => {
		const field = fields[name] ?? otherwise;
		if (typeof field !== "string") throw new Refusal(`${where}: ${name} must be text.`);
		return field;
	};
	const { now } = fields;
	if (typeof now !== "number" || !Number.isFinite(now)) throw new Refusal(`${where}: now must be Unix seconds.`);
	const headers = readHeaders(fields.headers ?? {});
	if (!headers) throw new Refusal(`${where}: headers must be an object of texts.`);
	const secrets = pick(fields, ["secret", "publicKey", "certificate"], where);
	if (Object.keys(secrets).length === 0) {
		throw new Refusal(`${where}: give the secret, publicKey or certificate that it is to be checked with.`);
	}
	const { topicArn: topicArns, ...settings } = pick(fields, ["algorithm", "topicArn"], where);
	// The message that SNS brings may be recorded as the object that it is: its signature covers fields, not bytes.
	const isMessage = carrier === "aws" && typeof fields.body === "object" && fields.body !== null;
	const body = isMessage ? JSON.stringify(fields.body) : text("body", "");
	const request = {
		method: text("method", "POST").toUpperCase(),
		url: text("url", signsUrl.has(carrier) ? undefined : ""),
		headers,
		body,
	};
	const options = { settings: { ...settings, ...(topicArns && { topicArns }) }, secrets };
	try {
		const verify = verifiers[carrier as keyof typeof verifiers]?.(options) as Carrier["verify"];
		return { request, verify, now: now * 1000, scope: JSON.stringify(secrets) };
	} catch (error) {
		if (error instanceof TypeError) throw new Refusal(`${where}: ${error.message}`);
		throw error;
	}
}

function readHeaders(value: unknown): CallbackRequest["headers"] | undefined {
	if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
	const isText = (each: unknown) => typeof each === "string";
	const entries = Object.entries(value).map(([name, each]) => [name, typeof each === "number" ? String(each) : each]);
	const areTexts = entries.every(([, each]) => isText(each) || (Array.isArray(each) && each.every(isText)));
	return areTexts ? Object.fromEntries(entries) : undefined;
}

function pick(fields: Record<string, unknown>, names: string[], where: string): Record<string, string> {
	const given = names.filter((name) => fields[name] !== undefined && fields[name] !== null);
	const bad = given.find((name) => typeof fields[name] !== "string");
	if (bad !== undefined) throw new Refusal(`${where}: ${bad} must be text.`);
	return Object.fromEntries(given.map((name) => [name, String(fields[name])]));
}
