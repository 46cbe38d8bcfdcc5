// The shapes of policies and proposals at the door.

import { z } from "zod";
import { limits } from "../../../domain/limits.ts";
import { proposalStates } from "../../../domain/proposal.ts";
import { fields } from "../../schemas.ts";

const approval = z.object({
	by: z.string().optional().meta({ description: "Told to tenants that govern policies." }),
	at: z.string(),
	verified: z.boolean().meta({ description: "Whether a person signed in to give it." }),
	note: z.string().optional(),
});

const packVersion = z
	.object({
		pack: z.string(),
		version: z.string(),
		title: z.string(),
		sha256: z.string(),
		state: z.enum(["past", "in_force", "coming"]),
		effectiveFrom: z.string(),
		origin: z.enum(["shipped", "published"]),
		proposalId: z.string().optional(),
		approval: approval.optional(),
		links: z.object({ text: z.string() }),
	})
	.meta({ id: "PolicyVersion" });

const counts = z.record(z.string(), z.int());

const retiming = z
	.object({
		state: z.enum(["running", "done", "superseded"]),
		inForceFrom: z.string(),
		startedAt: z.string(),
		endedAt: z.string().optional(),
		total: z.int(),
		counts: counts.meta({ description: "Messages by what happened to them; `messages` is how many were looked at." }),
	})
	.meta({ id: "Retiming" });

const policyList = z.object({ items: z.array(packVersion), retiming: retiming.optional() }).meta({ id: "PolicyList" });

const state = z.enum(proposalStates as [(typeof proposalStates)[number], ...typeof proposalStates]);

const difference = z.object({
	rule: z.string(),
	what: z.string(),
	before: z.string().optional(),
	after: z.string().optional(),
	sentence: z.string(),
});

const proposal = z
	.object({
		id: z.string(),
		pack: z.string(),
		version: z.string(),
		base: z.string().optional().meta({ description: "The version in force when it was proposed." }),
		why: z.string(),
		state,
		sha256: z.string(),
		createdBy: z.string(),
		createdAt: z.string(),
		check: z.object({ at: z.string(), cases: z.int() }).optional(),
		simulation: z
			.object({
				state: z.enum(["running", "done"]),
				by: z.string(),
				startedAt: z.string(),
				endedAt: z.string().optional(),
				asOf: z.string(),
				base: z.string().meta({ description: "SHA-256 over all versions that it was compared with." }),
				total: z.int(),
				counts,
				samples: z.record(z.string(), z.array(z.string())).meta({ description: "Ids of some of the messages." }),
			})
			.optional(),
		approval: approval.optional(),
		effectiveFrom: z.string().optional().meta({ description: "Once published: from then on it is in force." }),
		history: z.array(z.object({ state, at: z.string(), by: z.string() })),
		links: z.object({ self: z.string() }),
	})
	.meta({ id: "PolicyProposal" });

const proposalDetail = proposal
	.extend({ text: z.string(), changes: z.array(difference) })
	.meta({ id: "PolicyProposalDetail" });

const proposalPage = z
	.object({ items: z.array(proposal), next: z.string().optional() })
	.meta({ id: "PolicyProposalPage" });

// It is kept in clear for good: no place for numbers or addresses of people.
const why = z
	.string()
	.min(3)
	.max(300)
	.refine((text) => !/(\d[\s().-]?){7}|@/.test(text), { error: "Names no number and no address." });
const pack = z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, { error: "The id of a pack." });

const proposalInput = z
	.union([
		z.strictObject({
			text: z.string().min(1).max(limits.packBytesMax).meta({ description: "A whole version of a pack, YAML." }),
			why,
		}),
		z.strictObject({
			pack,
			changes: z
				.array(
					z.strictObject({
						rule: z.string().min(1).max(120),
						path: z
							.string()
							.min(1)
							.max(200)
							.meta({ description: "Such as `retention.content.max`, or `window.open.*.end`; `*` is every item." }),
						value: z.union([z.string().max(500), z.number(), z.boolean(), z.null()]),
					}),
				)
				.min(1)
				.max(50),
			effectiveFrom: fields.time.optional(),
			why,
		}),
	])
	.meta({ id: "PolicyProposalRequest" });

const publishInput = z.strictObject({
	from: fields.time.optional(),
});

const ruleWords = z
	.object({
		rule: z.string(),
		version: z.string(),
		says: z.string(),
		when: z.string(),
		whenBriefly: z
			.string()
			.meta({ description: "The same for a line: of more than five values their number and the first three." }),
		citations: z.array(z.string()),
		basis: z.string().optional(),
		confidence: z.string().optional(),
		verifiedOn: z.string().optional(),
		note: z.string().optional(),
	})
	.meta({ id: "RuleWords" });
const bound = z.object({
	duration: z.string().nullable(),
	words: z.string(),
	rule: z.string(),
	citations: z.array(z.string()),
});
const ref = z.object({ id: z.string(), version: z.string() });

const reasons = z.array(z.object({ code: z.string(), means: z.string() }));

const explanation = z
	.object({
		messageId: z.string(),
		judgedAt: z.string(),
		allowed: z.boolean(),
		reasons,
		mode: z.enum(["enforced", "monitor"]).meta({
			description:
				"`monitor`: limits of the tenant's own that only watch would have refused it. Policies never only watch.",
		}),
		noted: reasons.meta({ description: "Why those limits would have." }),
		rejected: z.object({ at: z.string(), code: z.string().optional(), rule: ruleWords.optional() }).optional().meta({
			description:
				"That it was rejected after it had been accepted: the rule, where a policy did. All else is said of the acceptance.",
		}),
		decisive: ruleWords.optional(),
		others: z.array(ruleWords),
		releaseUtc: z.string().optional(),
		releaseLocal: z.string().optional(),
		deliveryMode: z.string().optional(),
		held: z.boolean().meta({ description: "A hold keeps all of it, beyond the dates of `retention` too." }),
		retention: z.array(
			z.object({
				object: z.string(),
				eraseBy: z.string(),
				atFinal: z.boolean(),
				erasedAt: z.string().optional(),
				min: bound.optional(),
				max: bound.optional(),
			}),
		),
		packs: z.array(
			z.object({
				...ref.shape,
				title: z.string().optional(),
				sha256: z.string().optional(),
				origin: z.enum(["shipped", "published"]).optional(),
				effectiveFrom: z.string().optional(),
				proposalId: z.string().optional(),
				approval: approval.optional(),
			}),
		),
		retimings: z.array(
			z.object({
				at: z.string(),
				from: z.array(ref),
				to: z.array(ref),
				effects: z.array(z.string()),
				allowed: z.boolean().optional(),
			}),
		),
		replay: z.object({ agrees: z.boolean(), missing: z.array(ref), differences: z.array(z.string()) }),
	})
	.meta({ id: "DecisionExplanation" });

/** Every policy schema by name. */
export const policySchemas = {
	approval,
	packVersion,
	retiming,
	policyList,
	proposal,
	proposalDetail,
	proposalPage,
	proposalInput,
	publishInput,
	proposalState: state,
	explanation,
};
