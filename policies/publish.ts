// A change of policy, step by step: proposed, checked, simulated, approved by somebody else, published from a date.

import { LetheError } from "../domain/errors.ts";
import type { IdKind } from "../domain/ids.ts";
import { limits } from "../domain/limits.ts";
import type { PolicyVersion, Proposal, ProposalChange, Simulation } from "../domain/proposal.ts";
import { draftChange, type RuleChange, readName } from "./change.ts";
import { checkPack } from "./check.ts";
import { formatInstant } from "./durations.ts";
import { PackError } from "./faults.ts";
import type { Policies } from "./index.ts";
import { hashText } from "./load.ts";
import { indexPacks, type LoadedPack } from "./packSet.ts";
import { linesIn } from "./packText.ts";
import { compareVersions, nextMinorVersion, nextVersion } from "./published.ts";
import { refusedPack } from "./refusedPack.ts";
import { makeVersion } from "./revisions.ts";

export type PublishDeps = {
	/** Epoch milliseconds. */
	clock: () => number;
	ids: { random: (kind: IdKind) => string };
	policies: Pick<Policies, "text" | "packs" | "inForce" | "basis" | "refresh">;
	store: {
		proposals: {
			insert: (proposal: Proposal) => Promise<boolean>;
			find: (id: string) => Promise<Proposal | undefined>;
			change: (id: string, change: ProposalChange) => Promise<boolean>;
		};
		policyVersions: {
			all: () => Promise<PolicyVersion[]>;
			insert: (version: PolicyVersion) => Promise<boolean>;
		};
		messageScan: { countAll: () => Promise<number> };
	};
	/** Starts what a proposal waits for; never blocks or throws, since the sweep starts it too. */
	runs: { simulateSoon: (proposalId: string) => void };
};

/** A whole text, or a change of the version that is in force. */
export type Draft = { by: string; why: string } & (
	| { text: string }
	| { pack: string; effectiveFrom?: number | undefined; changes: readonly RuleChange[] }
);

export type Publish = ReturnType<typeof createPublish>;

/**
 * Every step is one conditional update: of two at once one wins, and the other gets proposal_state.
 * All throw LetheError not_found for an unknown proposal, policies_unavailable and store_unavailable.
 */
export function createPublish(deps: PublishDeps) {
	const { read, propose, check, simulate, approve, withdraw } = createSteps(deps);
	const { publish, settle } = createPublication(deps, read);
	return { read, propose, check, simulate, approve, withdraw, publish, settle };
}

function createSteps(deps: PublishDeps) {
	const { proposals } = deps.store;

	async function read(id: string): Promise<Proposal> {
		const proposal = await proposals.find(id);
		if (!proposal) throw new LetheError("not_found");
		return proposal;
	}

	/** Applies a change, or says in which state the proposal is instead. */
	async function move(id: string, change: ProposalChange): Promise<Proposal> {
		const done = await proposals.change(id, change);
		const proposal = await read(id);
		if (!done) throw wrongState(proposal);
		return proposal;
	}

	return {
		read,

		/** → draft; one of that id stays as it is. @throws LetheError policy_refused when the text names no pack; invalid_request for a change without a place */
		async propose(draft: Draft, id = deps.ids.random("proposal")): Promise<Proposal> {
			const proposal = toProposal(deps, draft, id);
			await proposals.insert(proposal);
			return read(id);
		},

		/** draft → checked. @throws LetheError policy_refused, with every fault; the proposal stays as it was */
		async check(id: string, by: string): Promise<Proposal> {
			const proposal = await read(id);
			if (proposal.state !== "draft") throw wrongState(proposal);
			const { errors, cases } = checkPack(proposal.text, undefined, deps.policies.packs());
			if (errors.length > 0) throw refusedPack(errors);
			return move(id, { to: "checked", by, set: { check: { at: deps.clock(), caseCount: cases.length } } });
		},

		/** Starts a simulation, in place of one with another id; it becomes `simulated` when that ends. */
		async simulate(id: string, by: string, simulationId = deps.ids.random("simulation")): Promise<Proposal> {
			const proposal = await read(id);
			if (proposal.simulation?.id === simulationId) return proposal;
			const simulation = await toSimulation(deps, proposal, by, simulationId);
			const set = { simulation, nextCheckAt: simulation.startedAt + limits.driverPatienceMs };
			const started = await move(id, { from: ["checked", "simulated"], set });
			deps.runs.simulateSoon(id);
			return started;
		},

		/**
		 * simulated → approved. @param verified whether a person signed in for it
		 * @throws LetheError self_approval; simulation_stale when other packs are known by now than it was simulated against
		 */
		async approve(id: string, by: string, verified: boolean): Promise<Proposal> {
			const { createdBy, simulation } = await read(id);
			if (createdBy === by) throw new LetheError("self_approval");
			const done = simulation?.endedAt !== undefined;
			if (done && simulation.base !== deps.policies.basis()) throw new LetheError("simulation_stale");
			const where = {
				createdBy: { $ne: by },
				"simulation.id": simulation?.id ?? "",
				"simulation.endedAt": { $exists: true },
			};
			return move(id, { to: "approved", by, where, set: { approval: { by, at: deps.clock(), verified } } });
		},

		/** → withdrawn, unless it is being published. */
		withdraw: (id: string, by: string): Promise<Proposal> =>
			move(id, { to: "withdrawn", by, where: { publishing: { $exists: false } }, unset: ["nextCheckAt"] }),
	};
}

function toProposal(deps: PublishDeps, draft: Draft, id: string): Proposal {
	const text = "text" in draft ? draft.text : draftText(deps, draft);
	const { pack, version } = readName(text);
	const now = deps.clock();
	const base = findBase(deps, pack);
	return {
		_id: id,
		...{ pack, version, text },
		sha256: hashText(text),
		...(base ? { base } : {}),
		why: draft.why,
		state: "draft",
		createdBy: draft.by,
		createdAt: now,
		history: [{ state: "draft", at: now, by: draft.by }],
	};
}

async function toSimulation(deps: PublishDeps, { text }: Proposal, by: string, id: string): Promise<Simulation> {
	const now = deps.clock();
	return {
		id,
		by,
		startedAt: now,
		base: deps.policies.basis(),
		asOf: inForceFrom(now, readName(text).effectiveFrom),
		cursor: "",
		total: await deps.store.messageScan.countAll(),
		counts: {},
		samples: {},
	};
}

function createPublication(deps: PublishDeps, read: (id: string) => Promise<Proposal>) {
	const { proposals, policyVersions } = deps.store;

	/** Writes down who publishes it from when, once; a publisher that died is replaced. */
	async function begin(proposal: Proposal, by: string, from: number | undefined) {
		const now = deps.clock();
		const { publishing, state, text } = proposal;
		if (state !== "approved" || (publishing && now - publishing.at < limits.publishPatienceMs)) {
			throw wrongState(proposal);
		}
		const effectiveFrom = Math.max(inForceFrom(now, readName(text).effectiveFrom), from ?? 0);
		const plan = { by, at: now, effectiveFrom };
		const where = publishing ? { "publishing.at": publishing.at } : { publishing: { $exists: false } };
		const set = { publishing: plan, nextCheckAt: now + limits.publishPatienceMs };
		if (!(await proposals.change(proposal._id, { from: ["approved"], where, set }))) {
			throw wrongState(await read(proposal._id));
		}
		return plan;
	}

	/** The insert of the next revision is the publication: what is in the store then, in that order, holds. */
	async function insert(proposal: Proposal, plan: NonNullable<Proposal["publishing"]>): Promise<void> {
		for (;;) {
			const standing = await policyVersions.all();
			if (standing.some(({ proposalId }) => proposalId === proposal._id)) return;
			// What was published a moment ago counts too.
			await deps.policies.refresh();
			requireFit(proposal, plan.effectiveFrom, deps.policies.packs());
			const { _id: proposalId, pack, version, text, sha256, approval } = proposal;
			const fields = { proposalId, pack, version, text, sha256, effectiveFrom: plan.effectiveFrom };
			// Given up, or taken over, while this one was slow: it may have been withdrawn since.
			const current = await read(proposalId);
			if (current.publishing?.at !== plan.at) throw wrongState(current);
			const by = { publishedBy: plan.by, publishedAt: plan.at, approval: approval as NonNullable<typeof approval> };
			if (await policyVersions.insert(makeVersion(standing, { ...fields, ...by }))) return;
		}
	}

	/** What is in the store holds: one that was withdrawn at that very moment is published all the same, and says so. */
	async function finish(id: string, by: string): Promise<Proposal> {
		const from = ["approved", "withdrawn"] as const;
		await proposals.change(id, { to: "published", from, by, unset: ["publishing", "nextCheckAt"] });
		await deps.policies.refresh();
		return read(id);
	}

	return {
		/**
		 * approved → published: in force from `from`, from the date of its text or in a few seconds, whichever is last.
		 * @param from epoch milliseconds
		 * @throws LetheError policy_refused when it does not fit what has been published meanwhile
		 */
		async publish(id: string, by: string, from?: number): Promise<Proposal> {
			const proposal = await read(id);
			const plan = await begin(proposal, by, from);
			try {
				await insert(proposal, plan);
			} catch (error) {
				const cancel = { where: { "publishing.at": plan.at }, unset: ["publishing", "nextCheckAt"] };
				if (error instanceof LetheError && error.code === "policy_refused") await proposals.change(id, cancel);
				throw error;
			}
			return finish(id, by);
		},

		/** Completes or gives up what a publisher that died has left. */
		async settle(proposal: Proposal): Promise<void> {
			const { _id, publishing } = proposal;
			if (!publishing) return;
			const standing = await policyVersions.all();
			if (standing.some(({ proposalId }) => proposalId === _id)) await finish(_id, publishing.by);
			else {
				const where = { "publishing.at": publishing.at };
				await proposals.change(_id, { from: ["approved"], where, unset: ["publishing", "nextCheckAt"] });
			}
		},
	};
}

function draftText(deps: PublishDeps, draft: Extract<Draft, { pack: string }>): string {
	const { pack, changes } = draft;
	// One that is past means at once, as it does when it is published.
	const effectiveFrom = Math.max(draft.effectiveFrom ?? 0, deps.clock());
	const base = findBase(deps, pack);
	const text = base && deps.policies.text(pack, base);
	if (!text) throw new LetheError("invalid_request", { errors: [{ pointer: "/pack", detail: "No such pack." }] });
	const version = numberOf(deps, pack, effectiveFrom);
	return draftChange(text, { version, effectiveFrom: formatInstant(effectiveFrom) }, changes);
}

/**
 * The number of a new version from then on: above those that begin by then. One for later leaves room below it, since numbers
 * rise with their dates: what turns out to be urgent meanwhile fits in there.
 */
function numberOf(deps: PublishDeps, pack: string, effectiveFrom: number): string {
	const own = deps.policies.packs().flatMap(({ file }) => (file.id === pack ? [file] : []));
	// It can't begin sooner, and what was published a moment ago has begun by then.
	const soonest = deps.clock() + limits.policyNoticeMs;
	const isForLater = effectiveFrom > soonest;
	const next = (versions: readonly string[]) =>
		(isForLater ? nextMinorVersion : nextVersion)([...versions].sort(compareVersions).at(-1) as string);
	const begun = own.filter((file) => Date.parse(file.effectiveFrom) <= Math.max(effectiveFrom, soonest));
	const number = next(begun.map(({ version }) => version));
	const fits = own.every((file) => begun.includes(file) || compareVersions(number, file.version) < 0);
	// Without room the check says so, by the versions' names.
	return fits ? number : next(own.map(({ version }) => version));
}

function findBase(deps: PublishDeps, pack: string): string | undefined {
	return deps.policies.inForce(deps.clock()).files.find(({ id }) => id === pack)?.version;
}

/** When a version may begin at the earliest: at its own date, but not before every process knows of it. */
function inForceFrom(now: number, effectiveFrom: string | undefined): number {
	return Math.max(now + limits.policyNoticeMs, Date.parse(effectiveFrom ?? "") || 0);
}

function requireFit(proposal: Proposal, effectiveFrom: number, packs: LoadedPack[]): void {
	const { errors, pack } = checkPack(proposal.text, undefined, packs);
	if (!pack || errors.length > 0) throw refusedPack(errors);
	const { effectiveTo } = pack;
	if (effectiveTo !== undefined && Date.parse(effectiveTo) <= effectiveFrom) {
		const message = `effectiveTo: ${effectiveTo} is over before it can begin, at ${formatInstant(effectiveFrom)}`;
		const mend = "Propose it again with a later end, or publish it for an earlier day.";
		throw refusedPack([{ line: linesIn(proposal.text)(["effectiveTo"]), message, mend }]);
	}
	try {
		const file = { ...pack, effectiveFrom: formatInstant(effectiveFrom) };
		indexPacks([...packs, { file, sha256: proposal.sha256 }]);
	} catch (error) {
		throw error instanceof PackError ? refusedPack(error.faults) : error;
	}
}

function wrongState({ state, publishing }: Proposal): LetheError {
	return new LetheError("proposal_state", { extra: { state: publishing ? "publishing" : state } });
}
