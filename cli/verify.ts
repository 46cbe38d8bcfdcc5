// `lethe verify FILE --keys JWKS_FILE`: checks an erasure certificate offline, against keys that the caller has pinned.

import { readFile } from "node:fs/promises";
import { Command } from "commander";
import type { Certificate } from "../audit/certificate.ts";
import { type VerifyResult, verifyCertificate } from "../audit/verifyCertificate.ts";

const exitCodes = { valid: 0, invalid: 1, unusable: 2 } as const;

/** Exit 0: authentic; 1: not; 2: the file or the keys can't be used. */
export function verifyCommand(): Command {
	return new Command("verify")
		.description("check an erasure certificate offline; only the keys given by --keys count")
		.argument("<file>", "compact JWS, or JSON with a field `jws`")
		.option("--keys <file>", "JWK set that you have pinned, as served at /.well-known/jwks.json")
		.option("--json", "print the result as JSON")
		.action(async (file: string, options: { keys?: string; json?: boolean }) => {
			try {
				if (!options.keys) throw new Unusable("--keys is missing: name a file with the JWK set that you have pinned.");
				const jws = jwsIn(await readText(file), file);
				const result = await judge(jws, options.keys);
				console.log(options.json ? JSON.stringify(result) : describe(result));
				process.exitCode = result.valid ? exitCodes.valid : exitCodes.invalid;
			} catch (error) {
				if (!(error instanceof Unusable)) throw error;
				console.error(`lethe verify: ${error.message}`);
				process.exitCode = exitCodes.unusable;
			}
		});
}

/** Input that can't be judged; the message names the mend. */
class Unusable extends Error {}

async function judge(jws: string, keysFile: string): Promise<VerifyResult> {
	const keys = json(await readText(keysFile));
	if (keys === undefined) throw new Unusable(`${keysFile} is not JSON: save the JWK set there.`);
	try {
		return await verifyCertificate(jws, keys, { now: Date.now() });
	} catch (error) {
		if (!(error instanceof TypeError)) throw error;
		throw new Unusable(`${keysFile} holds no Ed25519 key with a kid: save the JWK set of the issuer there.`);
	}
}

async function readText(file: string): Promise<string> {
	try {
		return (await readFile(file, "utf8")).trim();
	} catch {
		throw new Unusable(`${file} can't be read: check its path and your rights.`);
	}
}

/** The certificate in the file. Whatever else the file holds, keys too, is ignored. */
function jwsIn(text: string, file: string): string {
	const parsed = json(text);
	const jws = parsed === undefined ? text : (parsed as { jws?: unknown } | null)?.jws;
	if (typeof jws === "string" && jws.split(".").length === 3) return jws;
	throw new Unusable(`${file} holds no certificate: give a compact JWS, or JSON with a field \`jws\`.`);
}

function json(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

const reasons: Record<Extract<VerifyResult, { valid: false }>["reason"], string> = {
	malformed: "it is not a compact JWS as Lethe writes it",
	wrong_type: "it is not an erasure certificate signed with Ed25519",
	key_not_pinned: "the key that it names is not among those you have pinned",
	bad_signature: "its signature does not fit the pinned key: it was forged or edited",
	schema: "its content is not an erasure certificate of a version known here",
	not_canonical: "its content is not in canonical form",
	inconsistent: "it claims more than the copies that it lists bear out",
	issued_in_future: "it says that it was issued in the future; check this machine's clock",
};

function describe(result: VerifyResult): string {
	if (!result.valid) return `NOT VALID (${result.reason}): ${reasons[result.reason]}.`;
	const { certificate, kid } = result;
	const lines = [
		`VALID: erasure certificate ${certificate.id}`,
		`  tenant ${certificate.tenantId}, ${certificate.kind}, issued ${certificate.issuedAt}, key ${kid}`,
		"Erased:",
		...certificate.objects.map((entry) => `  ${entry.erasedAt}  ${objectLine(entry)}`),
		standing(result),
	];
	return [...lines, "Copies:", ...certificate.copies.map((copy) => `  ${copy.copy.padEnd(20)}${fate(copy)}`)].join(
		"\n",
	);
}

function standing({ certificate, forgotten }: Extract<VerifyResult, { valid: true }>): string {
	if (certificate.completeFrom === undefined) return `INCOMPLETE: ${certificate.reasons.join(", ")}`;
	if (forgotten) return `Complete since ${certificate.completeFrom}: nobody can read it any more.`;
	return `Complete from ${certificate.completeFrom}; until then it could be put together from the copies below.`;
}

function objectLine({ object, messageIds, recordIds, cohortId }: Certificate["objects"][number]): string {
	const ids = messageIds ?? recordIds ?? [];
	const of = ids.length === 1 ? ` of ${ids[0]}` : ` of ${ids.length} messages`;
	return `${object.replace("_", " ")}${ids.length > 0 ? of : ""}${cohortId ? `, cohort ${cohortId}` : ""}`;
}

function fate({ status, at, endsAt }: Certificate["copies"][number]): string {
	const words: Record<typeof status, string> = {
		erased: `erased ${at}, read back`,
		holds_none: "holds none, by construction",
		expires: `ends ${endsAt} at the latest, as declared`,
		planned: `still there${endsAt ? `, to end ${endsAt}` : ""}; nothing here relies on that`,
		unbounded: "has no declared end",
		unverified: "NOT VERIFIED",
		obligation: "left to the carrier, under contract",
	};
	return words[status];
}
