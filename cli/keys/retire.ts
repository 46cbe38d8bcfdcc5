// `lethe keys retire`: ends the versions of a signing or HMAC key that nothing needs any more, and names what needs the others.

import { Argument, Command } from "commander";
import { hashingKeys, isSigningKey, signingKeys } from "../../audit/keyAges.ts";
import { findKeyNeeds, type KeyNeed, type KeyNeedsDeps } from "../../audit/keyNeeds.ts";
import type { Deps } from "../../deps.ts";
import { formatTime } from "../../domain/formatTime.ts";
import { withDeps } from "../admin/withDeps.ts";
import { type NamedKey, nameOf } from "./nameOf.ts";

type Options = { of?: string };
// A text that somebody has still must not pass for forged.
type Retired = Exclude<NamedKey, "cohort" | "tag">;

const retirable = [...signingKeys, ...hashingKeys.filter((key) => key !== "tag"), "subject"];

/** Exit 0: every old version has ended; 1: something needs one still. Cohorts' keys end by themselves, see `keys rewrap`. */
export function retireCommand(): Command {
	return new Command("retire")
		.description("End a key's old versions that nothing needs any more; says what needs the others.")
		.addArgument(new Argument("<key>", "which").choices(retirable))
		.option("--of <id>", "the tenant of a subject key")
		.option("--json", "print JSON")
		.action((key: Retired, options: Options & { json?: boolean }) => {
			const act = async (deps: Deps) => {
				const retired = await retire(deps, key, options);
				for (const { version, needs } of retired.needed) {
					process.stderr.write(`version ${version} stays: needed by ${describeNeeds(needs)}\n`);
				}
				if (retired.needed.length > 0) process.exitCode = 1;
				return retired;
			};
			return withDeps(act, "admin", options.json ? JSON.stringify : describeEnded);
		});
}

function describeEnded({ key, ended }: Awaited<ReturnType<typeof retire>>): string {
	return `${key}: ${ended.length > 0 ? `ended version ${ended.join(", ")}` : "no version has ended"}`;
}

type RetireDeps = KeyNeedsDeps & {
	keyVersions: Pick<Deps["keyVersions"], "endBefore" | "endSigningBefore">;
	evidence: Pick<Deps["evidence"], "append">;
};

/** What was ended, which is in the evidence log first, and what needs those that stay. @throws Error | LetheError */
export async function retire(deps: RetireDeps, key: Retired, { of }: Options) {
	const name = nameOf(key, of);
	const found = await findKeyNeeds(deps, name);
	if (!found) throw new Error(`there is no key ${name}. See \`lethe keys list\`.`);
	const { old, from, keepFrom } = found;
	// Also what somebody was killed over.
	const ended = Array.from({ length: keepFrom - from }, (_, index) => from + index);
	if (ended.length > 0) {
		// Its owner's alone: no other tenant is told of that.
		const owner = key === "subject" ? { tenantId: of, about: of } : {};
		const acts = ended.map((version) => `${key}.v${version}`);
		await deps.evidence.append(
			acts.map((code) => ({ type: "key_version_ended", code, ...owner, by: "admin" }) as const),
		);
		if (isSigningKey(key)) await deps.keyVersions.endSigningBefore(name, keepFrom);
		else await deps.keyVersions.endBefore(name, keepFrom);
	}
	const needed = old.filter(({ version }) => version >= keepFrom);
	return {
		key: name,
		ended,
		needed: needed.map(({ version, madeAt, needs }) => {
			return { version, madeAt: formatTime(madeAt), needs: needs.map(tellNeed) };
		}),
	};
}

/** What needs a version, as people and scripts are told it: its time in RFC 3339. */
export function tellNeed(need: KeyNeed) {
	return "until" in need ? { ...need, until: formatTime(need.until) } : need;
}

/** `3 login names (per_…, …), sessions until …`; of a version that waits only for an older one, that. */
export function describeNeeds(needs: readonly ReturnType<typeof tellNeed>[]): string {
	const texts = needs.map((need) => {
		if ("until" in need) return `${need.by} until ${need.until}`;
		const { by, count, ids } = need;
		return `${count} ${by} (${ids.join(", ")}${count > ids.length ? ", …" : ""})`;
	});
	return texts.length > 0 ? texts.join("; ") : "what needs an older one";
}
