// Writes the pages and the schema that are made from code, for people and editors; a test compares them.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Capabilities, Carrier, Fields } from "../adapters/carriers/carrier.ts";
import { carrierCodes } from "../adapters/carriers/codes.ts";
import { required } from "../adapters/carriers/fields.ts";
import { callbackReasons } from "../adapters/carriers/reasons.ts";
import { carriers, verifierKeys, verifiers } from "../adapters/carriers/registry.ts";
import { pduErrors } from "../adapters/carriers/smpp/pdu.ts";
import { renderFigures } from "../bench/figures.ts";
import { settings } from "../config.ts";
import { errorCatalogue } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import { packJsonSchema } from "../policies/jsonSchema.ts";
import { readFiles } from "../policies/load.ts";
import { reasonMeanings } from "../policies/reasons.ts";
import { effectNames, type WholePack } from "../policies/schema.ts";
import { renderClientTypes } from "./clientTypes.ts";

const made = "<!-- Made by `npm run docs`; a test fails when it is out of date. -->";

const capabilityNames: Record<Exclude<keyof Capabilities, "regions" | "unsignedCallbacks">, string> = {
	validity: "gives up at the deadline",
	receipts: "tells what became of a message",
	inbound: "brings what recipients write",
	lookup: "can be asked by our reference",
	redaction: "forgets when asked",
	idempotentSend: "takes a repeated send as one",
	timedCallbacks: "callbacks bear a time",
	baa: "offers a BAA for SMS, by its own documents",
};

/** Path from the repository's root → the page's text. */
export function renderDocs(): Record<string, string> {
	const opened = Object.entries(carriers).map(([name, open]) => [name, open({ settings: {}, secrets: {} })] as const);
	return {
		"README.md": renderFigures(readFileSync(join(import.meta.dirname, "..", "README.md"), "utf8")),
		"docs/carriers.md": renderCarriers(opened.map(([, carrier]) => carrier)),
		...Object.fromEntries(opened.map(([name, carrier]) => [`docs/carriers/${name}.md`, renderCarrier(carrier)])),
		"docs/errors.md": renderErrors(),
		"docs/reasons.md": renderReasons(),
		"docs/rules.md": renderRules(),
		"docs/settings.md": renderSettings(),
		"policies/pack.schema.json": `${JSON.stringify(packJsonSchema(), null, "\t")}\n`,
	};
}

if (import.meta.main) {
	for (const [path, text] of Object.entries({ ...renderDocs(), ...(await renderClientTypes()) })) {
		const file = join(import.meta.dirname, "..", path);
		mkdirSync(dirname(file), { recursive: true });
		writeFileSync(file, text);
		console.log(`${path} written`);
	}
}

function renderCarriers(all: Carrier[]): string {
	const rows = Object.entries(capabilityNames).map(([key, what]) => {
		const cells = all.map(({ capabilities }) => (capabilities[key as keyof typeof capabilityNames] ? "yes" : "no"));
		return `| ${what} | ${cells.join(" | ")} |`;
	});
	const list = (codes: Record<string, string>) =>
		Object.entries(codes)
			.map(([code, meaning]) => `| \`${code}\` | ${meaning} |`)
			.join("\n");
	return `${made}

# Carriers

A send queue names a carrier, with settings of its own and secrets in Vault. Each carrier is one file of
\`adapters/carriers\` and one line of its registry; one contract suite runs over them all. Whether a BAA is in force is for
you to sign and to know. Which queue a message takes, and what becomes of it when one fails: [routing.md](routing.md).

| | ${all.map(({ name, manual }) => `[${manual.title}](carriers/${name}.md)`).join(" | ")} |
|---|${all.map(() => "---").join("|")}|
${rows.join("\n")}

## What a carrier keeps

A carrier that forgets when asked is asked once a message is final and nothing holds it, unless its queue was created with
\`--carrier-copy keep\`. Where it shows messages, that is read back; while it refuses it is asked again, each time twice as
late, for thirty days. The erasure certificate tells: forgotten and read back, forgotten as the carrier says, still to be
asked for, or left to the agreement with it, whose date is \`LETHE_CARRIER_LIFETIME_MS\` after the handing over. Set that to
what your agreements say.

## Callbacks, offline

\`lethe carrier verify CARRIER --request FILE\` checks a recorded callback, or each of an array, without any server; CARRIER
is one of ${Object.keys(verifiers)
		.map((name) => `\`${name}\``)
		.join(
			", ",
		)}, or \`rfc9421\` (also called \`http-message-signatures\`) for anybody's requests under HTTP Message Signatures.
A record is JSON:

\`\`\`json
{
  "method": "POST",
  "url": "https://lethe.example/v1/callbacks/twilio/main/receipts",
  "headers": { "Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": "…" },
  "body": "MessageSid=SM…&MessageStatus=delivered",
  "secret": "…",
  "now": 1893553445
}
\`\`\`

\`url\` is the public one as the carrier called it, needed where it is signed, \`body\` the raw text (for \`aws\` also the SNS
message as an object), and \`now\` the time at which it came, in Unix seconds: freshness is judged by that. What it is checked
with, by carrier:

| carrier | is given |
|---|---|
${Object.entries(verifierKeys)
	.map(([name, key]) => `| \`${name}\` | ${key} |`)
	.join("\n")}
| \`rfc9421\` | secret: text or base64 (HMAC); or publicKey or certificate: PEM, JWK or base64 of Ed25519's 32 bytes; algorithm: its registered name, optional |

It prints \`{valid, reason, events}\`: exit 0 when valid, 1 when not, 2 when the record can't be used. An array prints a line for
each of its items, a repeat of one before being \`replayed\`, and exits 0 whatever they are; an item that can't be used has the
reason \`unusable\`, and what is wrong with it is told on standard error by its number, the first being 1. \`reason\` is one of these:

| reason | means |
|---|---|
${list(callbackReasons)}

What is stale was rightly signed: it is answered 200, kept as evidence, and the carrier is asked by look-up where it can be. Of what
recipients wrote a STOP counts all the same, as a revocation does that comes late (47 CFR 64.1200(a)(10)): it stands from when
it was written, at the latest when it was signed, as if it had come then: where an opt-out was lifted since, by a START or by
you, it places none, and a consent given since lifts none. It counts once, and is confirmed only within the minutes that a law
leaves for that ([why](decisions/2026-11-26-a-late-stop-counts.md)). Anything else is dropped, and counted (\`inbound_stale\`, beside \`inbound_stop_late\` and \`inbound_stop_overtaken\`).

What is rightly signed and tells of a message otherwise than its carrier documents moves nothing: it is answered 200, for to
bring it again would not help, and counted (\`lethe_callbacks_total\`: \`unread\`).

A callback that was taken counts once. For ten minutes Redis knows it by what was signed of it, so that a repeat ends there;
whatever Redis forgets, the store knows: each receipt by its id on its message, what a recipient wrote for 400 days. A repeat
changes nothing, is counted (\`lethe_callbacks_total\`: \`replayed\`, \`duplicate\`) and is answered 200. Change the secret of
a carrier that signs no time at least once a year.

A receipt is of the message by the carrier's own id, on that queue. One that comes before the id is known waits encrypted for
it, for 72 hours at most. An id that a carrier gives again, as an SMSC may that was restarted, is that of the message which had
it last, and no receipt from before that one was sent is believed of it.

## What became of an attempt

Whatever a carrier says is told as one of these; its own words stay in its adapter.

| code | means |
|---|---|
${list(carrierCodes)}

Of \`timeout\` to \`adapter_failed\` nobody knows whether the carrier took the message, and neither it nor another carrier is given it again
on a guess. A carrier that can be asked by our reference is asked, when its page says: what it has goes on; what it then surely does not
have is sent again while its deadline leaves time. Where no carrier can tell, the category decides: a one-time code ends as \`unknown\`
(at once, or after the second look-up that brought no answer), since whoever waits for it needs another one; any other message
waits until it closes, an hour after its deadline, and is \`unknown\` then. \`lethe queue doubts\` lists both.

## SMPP PDUs

\`lethe carrier decode smpp --file FILE\` decodes each of an array of PDUs of SMPP 3.4 in hex, or prints \`{error}\`; a
bind's password is told as \`[redacted]\`:

| error | means |
|---|---|
| \`not_hex\` | The text is not pairs of hexadecimal digits. |
${list(pduErrors)}

## Segments

A text goes in the GSM 7-bit alphabet (160 septets, or 153 of each of several SMS; a character of the extension table is
two), or, when it has one character outside that, whole in UCS-2 (70 and 67 units of UTF-16). National tables are not used. A
pair of either is never cut, so that 306 septets may take three SMS. \`lethe carrier segments --file FILE\` counts the SMS
that each of an array of texts becomes, and a dry run those of a message.

With \`"substitute": true\` a message's typographic quotes, dashes, dots and spaces, and Greek and Cyrillic letters that are
drawn like Latin ones, are put into that alphabet: only where all of the text then fits it and takes no more SMS, never in an
address, nor in the last line of a one-time code (\`@host #code\`). What is judged, encrypted and sent is the text so changed;
a dry run tells how many characters that concerns, and what the text would have taken as it was.
`;
}

function renderCarrier({ name, manual, capabilities, receive }: Carrier): string {
	const rows = (what: Record<string, string>) =>
		Object.entries(what)
			.map(([key, about]) => `| \`${key}\` | ${about} |`)
			.join("\n");
	const fields = (all: Fields) => {
		const needed = new Set(required(all));
		return Object.entries(all.shape)
			.map(([key, { description = "" }]) => {
				const isTold = needed.has(key) || description.endsWith("without it");
				return `| \`${key}\` | ${description}${isTold ? "" : "; optional"} |`;
			})
			.join("\n");
	};
	const choices = manual.sendBy?.map((names) => names.map((one) => `\`${one}\``).join(" and ")).join(", or ");
	const able = Object.entries(capabilityNames).map(
		([key, what]) => `- ${what}: ${capabilities[key as keyof typeof capabilityNames] ? "yes" : "no"}`,
	);
	const { lookup } = capabilities;
	const seconds = (ms: number) => `${ms / 1000} s`;
	const asked = lookup
		? `\n- an attempt whose outcome nobody knows is asked for: ${seconds(lookup.absentAfterMs)} after it; an answer that it is not known counts: ${seconds(lookup.absentAfterMs + 2 * limits.clockSkewMs)} after it; a receipt that is missing is asked for: after ${seconds(lookup.askAfterMs)}`
		: "";
	const regions = capabilities.regions.length > 0 ? `\n- regions: ${capabilities.regions.join(", ")}` : "";
	const addresses = `Have receipts brought to \`/v1/callbacks/${name}/<queue>/receipts\` and what recipients write to
\`/v1/callbacks/${name}/<queue>/inbound\` under the public address (\`LETHE_PUBLIC_URL\`); one address for both will do.`;
	return `${made}

# ${manual.title}

[What it says of its API](${manual.source}); [all carriers](../carriers.md).

## Credentials

In Vault, of the send queue; a process is given its own half only. They are given as \`{"send": {…}, "callback": {…}}\` on
standard input: with the queue, to \`lethe admin queue\`, or to \`lethe admin secrets <queue>\`, also one half alone.
A queue that lacks one that is not optional is refused; \`lethe doctor\` names what queues that there are lack.

| secret, for sending | is |
|---|---|
${fields(manual.secrets.send)}
${choices ? `\nTo send, it needs ${choices}.\n` : ""}
| secret, for callbacks | is |
|---|---|
${fields(manual.secrets.callback)}

| setting | is |
|---|---|
${fields(manual.settings)}

## Callbacks

${receive ? "They come over connections of ours: nothing is set up at the carrier." : addresses}
They prove themselves by ${manual.signature}

## What receipts mean

| its word | ours |
|---|---|
${rows(manual.statuses)}

## What it can do

${able.join("\n")}${asked}${regions}

## What it can't

${manual.limits.map((limit) => `- ${limit}`).join("\n")}
`;
}

function renderErrors(): string {
	const sections = Object.entries(errorCatalogue).map(
		([code, { status, retryable, title }]) =>
			`## ${code}\n\n${title}\n\nStatus ${status}. ${
				retryable ? "The same request may succeed later." : "Do not repeat the same request unchanged."
			}\n`,
	);
	return `${made}

# Errors

Every failure answers \`application/problem+json\` (RFC 9457). \`type\` links to a section of this page, \`code\` is its
heading and never changes, \`retryable\` says whether the same request may succeed later, \`requestId\` finds the cause in
the logs, and \`errors[]\` points into the request. Contents, numbers and secrets are never echoed.

${sections.join("\n")}`;
}

function renderReasons(): string {
	const rows = Object.entries(reasonMeanings).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
	return `${made}

# Reasons

Every decision gives its reasons as codes of this page and no others, the decisive ones first; \`rules\` and \`citations\`
of the decision say which rule of which pack is meant.

| code | means |
|---|---|
${rows.join("\n")}
`;
}

function renderRules(): string {
	const packs = readFiles().map(({ file }) => renderPack(file));
	return `${made}

# Rules

What the packs in \`policies/packs\` hold, rule by rule. **Not legal advice:** every rule says how sure its reading is and when
its source was last looked at; counsel confirms before use. Basis: \`law\` is a statute, rule, regulator's guidance or binding
standard, \`carrier\` operators' terms, \`default\` a choice of this project.

\`lethe policy publish\` asks of a pack that it is well formed, passes its cases, leaves every retention an interval, and was
simulated and approved. It does not ask whether retention was disclosed to the subjects, nor for an impact assessment (GDPR
Art. 35(3)(b)): the rules with \`RETENTION_NOT_DISCLOSED\` answer \`lethe policy decide\`, given facts of a publication that say
so, no rule knows an assessment, and whoever approves a pack answers for both.

${packs.join("\n")}`;
}

function renderPack({ id, version, title, rules, excludes, cases }: WholePack): string {
	const rows = rules.map((rule) => {
		const effect = effectNames.find((name) => rule[name] !== undefined) ?? "";
		const dates = [rule.effectiveFrom && `from ${rule.effectiveFrom}`, rule.effectiveTo && `until ${rule.effectiveTo}`];
		const note = [...dates, rule.note].filter(Boolean).join(". ");
		const cells = [
			`\`${rule.id}\``,
			effect,
			rule.basis,
			rule.citations.join("; "),
			`${rule.confidence}, ${rule.verifiedOn}`,
			note,
		];
		return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
	});
	const excluded = excludes.map(({ citations }) => citations.join("; "));
	const leaves =
		excluded.length > 0 ? `\nLeaves out what ${[...new Set(excluded)].join(" and ")} leaves to others.\n` : "";
	return `## ${title} (\`${id}\` ${version}, ${cases.length} cases)
${leaves}
| rule | does | basis | source | sure, as of | note |
|---|---|---|---|---|---|
${rows.join("\n")}
`;
}

function renderSettings(): string {
	const rows = Object.entries(settings).map(([name, setting]) => {
		const { takes, otherwise } = describe(setting.schema);
		return `| \`${name}\` | ${setting.doc}${"secret" in setting ? " Secret." : ""} | ${takes} | ${otherwise} |`;
	});
	return `${made}

# Settings

All settings are environment variables, read and checked once at start; a bad or unknown one ends the process with a line
that names it. An empty or blank variable counts as absent. A setting whose default is "none" is needed only by the processes
that use it, and they say so. \`npm start\` hands the \`LETHE_\` ones on to its processes. Credentials are its own, and so are
servers, but those that \`TEMPORAL_ADDRESS\`, \`VAULT_ADDR\`, \`MONGODB_URL\` and \`REDIS_URL\` name: it takes neither the files
that hold such a URL nor the servers' \`_TLS_\` settings, which are for a deployment.

| setting | what it does | takes | default |
|---|---|---|---|
${rows.join("\n")}
`;
}

type JsonSchema = {
	type?: string;
	enum?: unknown[];
	const?: unknown;
	format?: string;
	pattern?: string;
	minimum?: number;
	maximum?: number;
	anyOf?: JsonSchema[];
};

function describe(schema: z.ZodType): { takes: string; otherwise: string } {
	const json = z.toJSONSchema(schema, { io: "input" }) as JsonSchema;
	const { data } = schema.safeParse(undefined);
	return { takes: takes(json).replaceAll("|", "\\|"), otherwise: data === undefined ? "none" : `\`${data}\`` };
}

function takes(json: JsonSchema): string {
	if (json.anyOf) return json.anyOf.map(takes).join(" or ");
	if (json.enum) return json.enum.map((value) => `\`${value}\``).join(", ");
	if (json.const !== undefined) return `\`${json.const}\``;
	if (json.format === "uri") return "URL";
	if (json.pattern) return `text matching \`${json.pattern}\``;
	if (json.type !== "integer" && json.type !== "number") return "text";
	const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = json;
	return maximum === Number.MAX_SAFE_INTEGER ? `whole number from ${minimum}` : `whole number ${minimum} to ${maximum}`;
}
