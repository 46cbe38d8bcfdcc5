// The shapes of subjects' requests at the door.

import { z } from "zod";
import {
	alertCodes,
	requestKinds,
	requestOutcomes,
	requestStates,
	taskVerdicts,
} from "../../../domain/subjectRequest.ts";
import { dataClasses } from "../../../policies/facts.ts";
import { fields, isResidence, schemas } from "../../schemas.ts";

const { time, word, loggedWord, opaque, number } = fields;
const day = z.iso.date({ error: "A day, such as 2027-02-28." });

const create = z
	.strictObject({
		number,
		kind: z.enum(requestKinds),
		channel: word.default("other").meta({ description: "How it came: email, letter, web_form, phone." }),
		receivedAt: time.optional().meta({ description: "The clocks run from then; now unless told." }),
		reference: opaque.optional().meta({ description: "Your own, opaque." }),
		subjectResidence: z
			.string()
			.regex(/^[A-Z]{2}(-[A-Z0-9]{1,3})?$/, { error: "A country of ISO 3166-1 or a region of ISO 3166-2." })
			.refine(isResidence, { error: "A country of ISO 3166-1, or a region of one of ISO 3166-2." })
			.optional(),
		recipientRegion: z
			.string()
			.regex(/^[A-Z]{2}-[A-Z0-9]{1,3}$/, { error: "A region of ISO 3166-2." })
			.optional(),
		dataClasses: z.array(z.enum(dataClasses)).max(dataClasses.length).default(["contact"]),
		ground: word.optional().meta({ description: "The duty or claim that speaks against it, in a word." }),
		hipaaCoveredEntity: z
			.boolean()
			.optional()
			.meta({ description: "Whether the sender answers as a covered entity under HIPAA, or for one." }),
		scope: z
			.enum(["marketing", "all"])
			.optional()
			.meta({ description: "What it blocks: an objection marketing, an erasure everything, unless told." }),
	})
	// Who says that only marketing is to be restricted must not have everything restricted.
	.refine(({ kind, scope }) => scope === undefined || kind === "objection" || kind === "erasure", {
		path: ["scope"],
		error: "Only an objection or an erasure has one.",
	})
	.meta({ id: "RecordSubjectRequest" });

const identity = z
	.strictObject({
		confirmed: z.boolean(),
		method: word.meta({ description: "How it was checked: id_document, account_login, call_back." }),
		evidence: opaque.meta({ description: "Where the proof is kept." }),
		ownedFrom: time.meta({ description: "Since when the number was theirs: earlier messages may be another's." }),
		ownedUntil: time.optional().meta({ description: "Until when; left out while it still is." }),
	})
	.meta({ id: "IdentityCheck" });

const decide = z.strictObject({ task: word, verdict: z.enum(taskVerdicts), ground: word }).meta({ id: "TaskDecision" });

const extend = z
	.strictObject({
		to: day,
		reason: word,
		toldAt: time.meta({ description: "When the person was told that it takes longer, and why." }),
	})
	.meta({ id: "RequestExtension" });

const close = z
	.strictObject({ outcome: z.enum(requestOutcomes), ground: word.optional() })
	.meta({ id: "RequestAnswer" });

const exportInput = z
	.strictObject({
		format: z.enum(["json", "html"]).default("json"),
		report: z
			.enum(["data", "disclosures"])
			.default("data")
			.meta({ description: "`disclosures`: of health data within six years, 45 CFR 164.528." }),
		purpose: loggedWord.meta({ description: "What for, in a word; it stands in the evidence log for good." }),
	})
	.meta({ id: "RequestExport" });

const request = z
	.object({
		id: z.string(),
		kind: z.enum(requestKinds),
		state: z.enum(requestStates),
		channel: z.string(),
		receivedAt: z.string(),
		recordedAt: z.string(),
		recordedBy: z.string(),
		reference: z.string().optional(),
		scope: z.enum(["marketing", "all"]).optional(),
		decision: schemas.accepted.shape.decision,
		clocks: z.object({
			ackBy: z.string().optional(),
			acknowledgedAt: z.string().optional(),
			respondBy: z
				.string()
				.optional()
				.meta({ description: "Absent where no pack here sets a date, which is not to say that no law does." }),
			extendableTo: z.string().optional(),
			extendedTo: z.string().optional(),
			extensionToldAt: z.string().optional(),
		}),
		identity: z
			.object({
				confirmed: z.boolean(),
				checkedBy: z.string(),
				checkedAt: z.string(),
				method: z.string(),
				evidence: z.string(),
				ownedFrom: z.string(),
				ownedUntil: z.string().optional(),
			})
			.optional(),
		tasks: z.array(
			z.object({
				name: z.string(),
				reasons: z.array(z.string()),
				citations: z.array(z.string()),
				messageIds: z.array(z.string()),
				raisedAt: z.string(),
				decided: z
					.object({ at: z.string(), by: z.string(), verdict: z.enum(taskVerdicts), ground: z.string() })
					.optional(),
			}),
		),
		alerts: z.array(z.object({ code: z.enum(alertCodes), at: z.string() })),
		erasure: z
			.object({
				startedAt: z.string(),
				step: z.enum(["erase", "settle", "certify", "done"]),
				erasedCount: z.int().meta({ description: "Objects read back and found gone." }),
				keptCount: z.int(),
				kept: z.array(
					z.object({
						object: z.string(),
						reason: z.string(),
						citations: z.array(z.string()),
						count: z.int(),
						until: z.string().optional().meta({ description: "When the last of it goes." }),
					}),
				),
				recheckAt: z.string().optional().meta({ description: "When what is kept is looked at again." }),
			})
			.optional(),
		holdId: z.string().optional().meta({ description: "The hold that restricts; its release lifts the restriction." }),
		optOutId: z.string().optional(),
		certificates: z.array(z.string()).meta({ description: "The last one tells all." }),
		exports: z.array(
			z.object({
				id: z.string(),
				at: z.string(),
				by: z.string(),
				format: z.string(),
				report: z.string(),
				purpose: z.string(),
			}),
		),
		log: z.array(
			z.object({ at: z.string(), type: z.string(), by: z.string().optional(), code: z.string().optional() }),
		),
		closed: z
			.object({ at: z.string(), by: z.string(), outcome: z.enum(requestOutcomes), ground: z.string().optional() })
			.optional(),
		eraseBy: z.string().optional(),
		links: z.object({ self: z.string() }),
	})
	.meta({ id: "SubjectRequest" });

const page = z.object({ items: z.array(request), next: z.string().optional() }).meta({ id: "SubjectRequestPage" });

/** Every shape by name. */
export const requestSchemas = { create, identity, decide, extend, close, export: exportInput, request, page };
