// `lethe verify FILE --keys JWKS_FILE`: checks a certificate, a canary's result or an evidence export offline, against keys that the caller has pinned.

import { access, readFile } from "node:fs/promises";
import { Command } from "commander";
import { verifyCanaryResult } from "../audit/canaryResult.ts";
import type { Certificate } from "../audit/certificate.ts";
import { openCheckpoint } from "../audit/checkpoint.ts";
import { keysFor } from "../audit/compactJws.ts";
import { pinnedKeys } from "../audit/pinnedKeys.ts";
import { isReceipt, verifyReceipt } from "../audit/sendingReceipt.ts";
import { type VerifyResult, verifyCertificate } from "../audit/verifyCertificate.ts";
import { addExample } from "./examples.ts";
import { exitCodes, Refusal, run } from "./run.ts";
import { describeCanary } from "./verify/canary.ts";
import { describeEvidence, verifyEvidenceFile } from "./verify/evidence.ts";
import { pinAnew } from "./verify/pinAnew.ts";
import { describeReceipt, type JudgedReceipt } from "./verify/receipt.ts";

/** Exit 0: authentic; 1: not; 2: the file or the keys can't be used. */
export function verifyCommand(): Command {
	return addExample(new Command("verify"), "lethe verify certificate.json --keys keys.json")
		.description(
			"check a certificate, a receipt of sending, a canary's result or an evidence export offline; only the keys given by --keys count",
		)
		.argument("<file>", "compact JWS, JSON with a field `jws`, an evidence export or proof, or a checkpoint")
		.option("--keys <file>", "JWK set that you have pinned; `lethe certificates keys` gets it")
		.option(
			"--checkpoint <file>",
			"a checkpoint that you have kept: an export must show growth from it, a proof or a checkpoint be of it",
		)
		.option("--json", "print the result as JSON")
		.action((file: string, options: Options) =>
			run("verify", async () => {
				if (!options.keys) throw new Refusal("--keys is missing: name a file with the JWK set that you have pinned.");
				await access(file).catch(() => refuseFile(file));
				const jwks = await readKeys(options.keys);
				const { valid, told } = await judgeFile(file, jwks, options.keys, options);
				tellUnusable(jwks, options.keys);
				console.log(told);
				return valid ? exitCodes.yes : exitCodes.no;
			}),
		);
}

type Options = { keys?: string; checkpoint?: string; json?: boolean };
type Result = VerifyResult | { valid: false; reason: "contradicted" };
type CertificateFile = { jws: string; beside: Record<string, unknown> };

async function judgeFile(file: string, jwks: unknown, keys: string, { json, checkpoint }: Options) {
	const { ed25519, p256 } = pinnedKeys(jwks);
	if (checkpoint !== undefined && ed25519.length === 0) refuseKeys(keys, "Ed25519");
	const older = checkpoint === undefined ? undefined : await readKept(checkpoint, keysFor("evidence", ed25519));
	const evidence = await verifyEvidenceFile(file, keysFor("evidence", ed25519), older).catch((error: unknown) => {
		// Anything else is no fault of the file's.
		if ((error as NodeJS.ErrnoException).syscall !== undefined) refuseFile(file);
		throw error;
	});
	if (evidence && ed25519.length === 0) refuseKeys(keys, "Ed25519");
	if (evidence) return { valid: evidence.valid, told: json ? JSON.stringify(evidence) : describeEvidence(evidence) };
	if (older !== undefined) throw new Refusal(`${file} is no evidence export: leave out --checkpoint.`);
	const given = certificateIn(await readText(file), file);
	if (isReceipt(given.jws)) {
		if (p256.length === 0) refuseKeys(keys, "P-256");
		const receipt = await judgeReceipt(given, jwks);
		return { valid: receipt.valid, told: json ? JSON.stringify(receipt) : describeReceipt(receipt) };
	}
	if (ed25519.length === 0) refuseKeys(keys, "Ed25519");
	const canary = await verifyCanaryResult(given.jws, jwks);
	if (canary.valid || canary.reason !== "wrong_type") {
		return { valid: canary.valid, told: json ? JSON.stringify(canary) : describeCanary(canary) };
	}
	const result = await judgeCertificate(given, jwks);
	return { valid: result.valid, told: json ? JSON.stringify(result) : describe(result) };
}

/** Before anything is judged by it: what is no checkpoint of a pinned key can't tell a fork. */
async function readKept(file: string, keys: readonly { x: string }[]): Promise<string> {
	const note = `${await readText(file)}\n`;
	if (openCheckpoint(note, keys) !== undefined) return note;
	throw new Refusal(
		`${file} is no checkpoint that a key of --keys has signed: give what \`lethe evidence checkpoint\` printed.`,
	);
}

async function judgeReceipt({ jws, beside }: CertificateFile, jwks: unknown): Promise<JudgedReceipt> {
	const result = await verifyReceipt(jws, jwks, { now: Date.now() });
	const contradicted = result.valid && contradicts(beside, result.receipt, ["messageId"]);
	return contradicted ? { valid: false, reason: "contradicted" } : result;
}

async function judgeCertificate({ jws, beside }: CertificateFile, jwks: unknown): Promise<Result> {
	const result = await verifyCertificate(jws, jwks, { now: Date.now() });
	const contradicted = result.valid && contradicts(beside, result.certificate, ["id", "kind", "issuedAt"]);
	return contradicted ? { valid: false, reason: "contradicted" } : result;
}

/** Whether what the API's answer repeats, unsigned, differs from what was signed: who reads only that must not be misled. */
function contradicts<Signed>(
	beside: Record<string, unknown>,
	signed: Signed,
	repeated: (keyof Signed & string)[],
): boolean {
	return repeated.some((name) => (beside[name] ?? signed[name]) !== signed[name]);
}

async function readKeys(file: string): Promise<unknown> {
	const keys = json(await readText(file));
	if (keys === undefined) throw new Refusal(`${file} is not JSON: save the JWK set of the issuer there.`);
	return keys;
}

function refuseKeys(file: string, kind: "Ed25519" | "P-256"): never {
	throw new Refusal(`${file} holds no usable ${kind} key with a kid: save the JWK set of the issuer there.`);
}

/** What was passed over may be the key that the text names: whoever pinned it must not take that for a forgery. */
function tellUnusable(jwks: unknown, file: string): void {
	const { unusable } = pinnedKeys(jwks);
	if (unusable.length === 0) return;
	const others = unusable.length > 1 ? ` and ${unusable.length - 1} more` : "";
	const which = `keys[${unusable[0]}]${others}`;
	console.error(
		`lethe verify: ${file}: passed over ${which}: no usable Ed25519 or P-256 key with a kid. Save the JWK set of the issuer there.`,
	);
}

function refuseFile(file: string): never {
	throw new Refusal(`${file} can't be read: check its path and your rights.`);
}

async function readText(file: string): Promise<string> {
	try {
		return (await readFile(file, "utf8")).replaceAll("\r\n", "\n").trim();
	} catch {
		return refuseFile(file);
	}
}

/** The certificate in the file, and what stands beside it; keys there count for nothing. */
function certificateIn(text: string, file: string): CertificateFile {
	const parsed = json(text);
	const beside = (parsed ?? { jws: text }) as Record<string, unknown>;
	const { jws } = beside;
	if (typeof jws === "string" && jws.split(".").length === 3) return { jws, beside };
	throw new Refusal(
		`${file} holds nothing to check: give a compact JWS, JSON with a field \`jws\`, or an export of evidence from its first line on.`,
	);
}

function json(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

const reasons: Record<Extract<Result, { valid: false }>["reason"], string> = {
	malformed: "it is not a compact JWS as Lethe writes it",
	wrong_type: "it is not an erasure certificate signed with Ed25519",
	key_not_pinned: `the key that it names is not among those you have pinned for certificates; ${pinAnew}`,
	bad_signature: "its signature does not fit the pinned key: it was forged or edited",
	schema: "its content is not an erasure certificate of a version known here",
	not_canonical: "its content is not in canonical form",
	inconsistent: "it claims more than the copies that it lists bear out",
	contradicted: "what the file says beside it is not what was signed",
	issued_in_future: "it says that it was issued in the future; check this machine's clock",
};

function describe(result: Result): string {
	if (!result.valid) return `NOT VALID (${result.reason}): ${reasons[result.reason]}.`;
	const { certificate, kid } = result;
	const lines = [
		`VALID: erasure certificate ${certificate.id}`,
		`  tenant ${certificate.tenantId}, ${certificate.kind}, issued ${certificate.issuedAt}, key ${kid}`,
		"Erased:",
		...certificate.objects.map((entry) => `  ${entry.erasedAt}  ${objectLine(entry)}`),
		...keptLines(certificate),
		...standing(result),
	];
	return [...lines, "Copies:", ...certificate.copies.map((copy) => `  ${copy.copy.padEnd(20)}${fate(copy)}`)].join(
		"\n",
	);
}

/** What is not erased, before anything is said of what is. */
function keptLines({ kept = [] }: Certificate): string[] {
	if (kept.length === 0) return [];
	const lines = kept.map((group) => {
		const until = group.until ? `until ${group.until}` : "until a release or a person ends it";
		const citations = group.citations.length > 0 ? ` (${group.citations.join("; ")})` : "";
		return `  ${objectLine(group)}: ${group.reason.replaceAll("_", " ")}${citations}, ${until}`;
	});
	return ["KEPT, and not erased:", ...lines];
}

/** Speaks of what was erased, and of Lethe's copies of it: what a carrier has is the carrier's. */
function standing({ certificate, forgotten }: Extract<VerifyResult, { valid: true }>): string[] {
	const { completeFrom, copies, reasons: why } = certificate;
	if (completeFrom === undefined) return [`INCOMPLETE: ${why.join(", ")}`];
	const ours = forgotten
		? `Complete since ${completeFrom}: nobody can read Lethe's copies of what was erased any more.`
		: `Complete from ${completeFrom}; until then it could be put together from Lethe's copies below.`;
	const carrier = copies.find(({ copy }) => copy === "carrier");
	if (carrier?.status !== "obligation" && carrier?.status !== "planned") return [ours];
	const until = carrier.endsAt ? `until ${carrier.endsAt}` : "without a declared end";
	return [ours, `The carrier may still have its copy ${until}.`];
}

type ErasedOrKept = Pick<Certificate["objects"][number], "messageIds" | "recordIds" | "cohortId"> & { object: string };

function objectLine({ object, messageIds, recordIds, cohortId }: ErasedOrKept): string {
	const ids = messageIds ?? recordIds ?? [];
	const of = ids.length === 1 ? ` of ${ids[0]}` : ` of ${ids.length} ${messageIds ? "messages" : "records"}`;
	return `${object.replace("_", " ")}${ids.length > 0 ? of : ""}${cohortId ? `, cohort ${cohortId}` : ""}`;
}

function fate({ status, proof, at, endsAt }: Certificate["copies"][number]): string {
	const words: Record<typeof status, string> = {
		erased: `erased ${at}, ${proof === "confirmed" ? "as the carrier says" : "read back"}`,
		holds_none: "holds none, by construction",
		expires: `ends ${endsAt} at the latest, as declared`,
		planned: `still there${endsAt ? `, to end ${endsAt}` : ""}; nothing here relies on that`,
		unbounded: "has no declared end",
		unverified: "NOT VERIFIED",
		obligation: `left to the carrier, whose agreement ends it${endsAt ? ` by ${endsAt}` : ""}`,
	};
	return words[status];
}
