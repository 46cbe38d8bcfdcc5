// /v1/policy-proposals: a change of policy from draft to publication, step by step, each by whoever may.

import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { LetheError } from "../../../domain/errors.ts";
import type { ActType } from "../../../domain/evidence.ts";
import { limits } from "../../../domain/limits.ts";
import type { Proposal, ProposalState } from "../../../domain/proposal.ts";
import { readCursor, toPage } from "../../cursor.ts";
import type { ApiDeps } from "../../deps.ts";
import type { Instance } from "../../instance.ts";
import type { Principal } from "../../plugins/auth.ts";
import { actOf } from "../../plugins/evidence.ts";
import { pageQuery, problems } from "../../schemas.ts";
import { type StandsBehindDeps, standsBehind } from "../../standsBehind.ts";
import { createTenants, type TenantsDeps } from "../../tenants.ts";
import { policySchemas } from "./schemas.ts";
import { viewProposal, viewProposalDetail } from "./view.ts";

export type ProposalsDeps = Pick<ApiDeps, "clock" | "publish" | "evidence"> & {
	packs: Pick<ApiDeps["packs"], "versions" | "file">;
	store: TenantsDeps["store"] & StandsBehindDeps["store"] & { proposals: Pick<ApiDeps["store"]["proposals"], "page"> };
};

const tags = ["policies"];
const params = z.strictObject({ id: z.string().max(64) });
const detail = policySchemas.proposalDetail;

type NewId = FastifyRequest["newId"];
type Step = {
	name: "check" | "simulate" | "approve" | "publish" | "withdraw";
	act: ActType;
	summary: string;
	description: string;
	run: (id: string, principal: Principal, input: { from?: string | undefined }, newId: NewId) => Promise<Proposal>;
	/** The state that it leads to at once; a run that was cut off and is repeated finds it. */
	to?: ProposalState;
};

export function addProposals(app: Instance, deps: ProposalsDeps): void {
	const { readTenant } = createTenants(deps);

	// Policies hold for every tenant: only those whose affair that is take part, and others learn nothing of it.
	async function requireGovernance(principal: Principal): Promise<void> {
		if (!(await readTenant(principal)).governsPolicies) throw new LetheError("policies_not_governed");
	}

	app.post(
		"/policy-proposals",
		{
			bodyLimit: limits.packBytesMax * 2,
			schema: {
				operationId: "createPolicyProposal",
				summary: "Propose a new version of a policy pack",
				tags,
				description:
					"A whole text, or changes of the version that is in force. Nothing changes before it is published.",
				body: policySchemas.proposalInput,
				response: { 201: detail.describe("A draft"), ...problems },
			},
		},
		async (request, reply) => {
			const { principal, body } = request;
			await requireGovernance(principal);
			const by = principal.id;
			const draft =
				"text" in body
					? { ...body, by }
					: { ...body, by, effectiveFrom: body.effectiveFrom ? Date.parse(body.effectiveFrom) : undefined };
			await deps.evidence.append([actOf(principal, "policy_proposed")]);
			const proposal = await deps.publish.propose(draft, request.newId("proposal"));
			return reply.code(201).send(viewProposalDetail(proposal, deps.packs));
		},
	);
	addReading(app, deps, requireGovernance);
	for (const step of listSteps(deps)) addStep(app, deps, step, requireGovernance);
}

type Govern = (principal: Principal) => Promise<void>;

function addReading(app: Instance, deps: ProposalsDeps, requireGovernance: Govern): void {
	app.get(
		"/policy-proposals",
		{
			schema: {
				operationId: "listPolicyProposals",
				summary: "List proposals, newest first",
				tags,
				querystring: z.strictObject({ state: policySchemas.proposalState.optional(), ...pageQuery }),
				response: { 200: policySchemas.proposalPage.describe("A page"), ...problems },
			},
		},
		async (request) => {
			await requireGovernance(request.principal);
			const { state, cursor, limit } = request.query;
			const found = await deps.store.proposals.page(state, limit + 1, readCursor("proposal", cursor));
			const page = toPage(found, limit, ({ createdAt, _id }) => ({ at: createdAt, id: _id }));
			return { ...page, items: page.items.map((proposal) => viewProposal(proposal, deps.packs)) };
		},
	);
	app.get(
		"/policy-proposals/:id",
		{
			schema: {
				operationId: "getPolicyProposal",
				summary: "Read a proposal, its text and what it changes",
				tags,
				params,
				response: { 200: detail.describe("The proposal"), ...problems },
			},
		},
		async (request) => {
			await requireGovernance(request.principal);
			return viewProposalDetail(await deps.publish.read(request.params.id), deps.packs);
		},
	);
}

function addStep(app: Instance, deps: ProposalsDeps, step: Step, requireGovernance: Govern): void {
	const operation = `${step.name}PolicyProposal`;
	app.post(
		`/policy-proposals/:id/${step.name}`,
		{
			schema: {
				operationId: operation,
				summary: step.summary,
				description: step.description,
				tags,
				params,
				body: step.name === "publish" ? policySchemas.publishInput.nullish() : z.strictObject({}).nullish(),
				response: { 200: detail.describe("The proposal as it is now"), ...problems },
			},
		},
		async (request) => {
			await requireGovernance(request.principal);
			const input = (request.body ?? {}) as { from?: string };
			const found = await deps.publish.read(request.params.id);
			if (request.idempotencyClaim?.again && isDone(step, found, request.principal)) {
				return viewProposalDetail(found, deps.packs);
			}
			await deps.evidence.append([actOf(request.principal, step.act, { about: found._id })]);
			const newId: NewId = (kind) => request.newId(kind);
			const proposal = await step.run(found._id, request.principal, input, newId);
			return viewProposalDetail(proposal, deps.packs);
		},
	);
}

function isDone({ to }: Step, { state, history }: Proposal, { id }: Principal): boolean {
	return state === to && history.at(-1)?.by === id;
}

function listSteps(deps: ProposalsDeps): Step[] {
	const { publish } = deps;
	return [
		{
			name: "check",
			act: "policy_checked",
			summary: "Check a draft and run its cases",
			description: "A fault is answered with its line and the mend, and the draft stays a draft.",
			run: (id, { id: by }) => publish.check(id, by),
			to: "checked",
		},
		{
			name: "simulate",
			act: "policy_simulated",
			summary: "Count what it would change of the stored messages",
			description: "Runs beside; `simulation` shows how far it is. It is `simulated` when that is done.",
			run: (id, { id: by }, _input, newId) => publish.simulate(id, by, newId("simulation")),
		},
		{
			name: "approve",
			act: "policy_approved",
			summary: "Approve somebody else's proposal",
			description: "Needs a person who has just signed in with MFA: no key may approve, and nobody their own.",
			run: async (id, { id: by }) => {
				const { createdBy } = await publish.read(id);
				if (await standsBehind(deps, by, createdBy)) throw new LetheError("self_approval");
				return publish.approve(id, by, true);
			},
			to: "approved",
		},
		{
			name: "publish",
			act: "policy_published",
			summary: "Publish an approved proposal from a date on",
			description:
				"In force from `from`, from the date in its text, or in a few seconds, whichever is last. From then on what is stored is re-timed.",
			run: (id, { id: by }, { from }) => publish.publish(id, by, from === undefined ? undefined : Date.parse(from)),
			to: "published",
		},
		{
			name: "withdraw",
			act: "policy_withdrawn",
			summary: "Withdraw a proposal that is not published",
			description: "For good; the same text may be proposed again.",
			run: (id, { id: by }) => publish.withdraw(id, by),
			to: "withdrawn",
		},
	];
}
