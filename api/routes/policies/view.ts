// What a caller sees of policies and proposals: versions, hashes, states, counts, and who did what; of messages ids only.

import type { z } from "zod";
import { formatTime } from "../../../domain/formatTime.ts";
import type { Approval, Proposal, Retiming } from "../../../domain/proposal.ts";
import { describeDifference, diffPacks } from "../../../policies/diff.ts";
import type { Explanation } from "../../../policies/explain.ts";
import type { PackVersion, Policies } from "../../../policies/index.ts";
import { readPackText } from "../../../policies/packText.ts";
import type { policySchemas } from "./schemas.ts";

type Answer<Name extends keyof typeof policySchemas> = z.input<(typeof policySchemas)[Name]>;

const unverified = "Given by an API key: who used it was not verified.";

/** Who asks: whether their tenant governs policies. To others it is nothing who of its people approved a version. */
type Asking = { governs: boolean };

/** A version; `current` are the versions in force now. */
export function viewVersion(
	version: PackVersion,
	{ current, now, governs }: Asking & { current: readonly { id: string; version: string }[]; now: number },
) {
	const { id: pack, title, sha256, origin, effectiveFrom, proposalId, approval } = version;
	const isCurrent = current.some((one) => one.id === pack && one.version === version.version);
	return {
		pack,
		version: version.version,
		title,
		sha256,
		state: isCurrent ? "in_force" : effectiveFrom > now ? "coming" : "past",
		effectiveFrom: formatTime(effectiveFrom),
		origin,
		...(proposalId ? { proposalId } : {}),
		...(approval ? { approval: viewApproval(approval, { governs }) } : {}),
		links: { text: `/v1/policies/${pack}/${version.version}` },
	} satisfies Answer<"packVersion">;
}

export function viewRetiming({ state, inForceFrom, startedAt, endedAt, total, counts }: Retiming) {
	return {
		state,
		inForceFrom: formatTime(inForceFrom),
		startedAt: formatTime(startedAt),
		...(endedAt === undefined ? {} : { endedAt: formatTime(endedAt) }),
		total,
		counts,
	} satisfies Answer<"retiming">;
}

export function viewProposal(proposal: Proposal, policies: Pick<Policies, "versions">) {
	const { _id: id, pack, version, base, why, state, sha256, createdBy, createdAt, approval, history } = proposal;
	const published = policies.versions().find(({ proposalId }) => proposalId === id);
	return {
		...{ id, pack, version, why, state, sha256, createdBy, createdAt: formatTime(createdAt) },
		...(base ? { base } : {}),
		...(proposal.check ? { check: { at: formatTime(proposal.check.at), cases: proposal.check.caseCount } } : {}),
		...(proposal.simulation ? { simulation: viewSimulation(proposal.simulation) } : {}),
		...(approval ? { approval: viewApproval(approval, { governs: true }) } : {}),
		...(published ? { effectiveFrom: formatTime(published.effectiveFrom) } : {}),
		history: history.map((entry) => ({ ...entry, at: formatTime(entry.at) })),
		links: { self: `/v1/policy-proposals/${id}` },
	} satisfies Answer<"proposal">;
}

/** The same with its text, and what it changes of the version that it was proposed against. */
export function viewProposalDetail(proposal: Proposal, policies: Pick<Policies, "versions" | "file">) {
	const { file } = readPackText(proposal.text);
	const base = proposal.base === undefined ? undefined : policies.file(proposal.pack, proposal.base);
	const changes = file ? diffPacks(base, file) : [];
	return {
		...viewProposal(proposal, policies),
		text: proposal.text,
		changes: changes.map((change) => ({ ...change, sentence: describeDifference(change) })),
	} satisfies Answer<"proposalDetail">;
}

export function viewExplanation(explanation: Explanation, asking: Asking) {
	const { rejected } = explanation;
	return {
		...explanation,
		rejected: rejected && { ...rejected, rule: rejected.rule && viewRule(rejected.rule) },
		decisive: explanation.decisive && viewRule(explanation.decisive),
		others: explanation.others.map(viewRule),
		retention: explanation.retention.map(({ min, max, ...dates }) => ({
			...dates,
			min: min && { ...min, citations: [...min.citations] },
			max: max && { ...max, citations: [...max.citations] },
		})),
		packs: explanation.packs.map(({ effectiveFrom, approval, ...pack }) => ({
			...pack,
			...(effectiveFrom === undefined ? {} : { effectiveFrom: formatTime(effectiveFrom) }),
			...(approval ? { approval: viewApproval(approval, asking) } : {}),
		})),
	} satisfies Answer<"explanation">;
}

function viewRule(rule: Explanation["others"][number]) {
	return { ...rule, citations: [...rule.citations] };
}

function viewSimulation(simulation: NonNullable<Proposal["simulation"]>) {
	const { by, startedAt, endedAt, asOf, base, total, counts, samples } = simulation;
	return {
		state: endedAt === undefined ? ("running" as const) : ("done" as const),
		by,
		startedAt: formatTime(startedAt),
		...(endedAt === undefined ? {} : { endedAt: formatTime(endedAt) }),
		asOf: formatTime(asOf),
		...{ base, total, counts, samples },
	};
}

function viewApproval({ by, at, verified }: Approval, { governs }: Asking) {
	return { ...(governs ? { by } : {}), at: formatTime(at), verified, ...(verified ? {} : { note: unverified }) };
}
