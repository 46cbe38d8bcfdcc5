// The shapes that cross the door: what a caller may send and what it gets. Unknown fields are refused.

import { z } from "zod";
import { type AbuseVerdict, abuseReasons } from "../domain/abuse.ts";
import { codeTextLocales } from "../domain/codeText.ts";
import { isCountry } from "../domain/country.ts";
import type { Decision } from "../domain/decision.ts";
import { actTypes, isWord } from "../domain/evidence.ts";
import { lifecycle, type State, states } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import { isGuessable, linkStandings } from "../domain/link.ts";
import { categories, deliverModes, deliveryModes, dryRunRefusals } from "../domain/message.ts";
import { Plaintext } from "../domain/plaintext.ts";
import {
	consentTypes,
	endingSources,
	holdScopes,
	optOutScopes,
	optOutSources,
	textVersions,
} from "../domain/subject.ts";
import { variableNamePattern } from "../domain/template.ts";
import { hostPattern } from "../domain/verification.ts";
import { dataClasses, isTimezone } from "../policies/facts.ts";
import { saysNone, setApart } from "../policies/words.ts";
import { isPlace } from "../policies/zones.ts";
import { isOpaqueReference } from "./reference.ts";

export type VerificationInput = z.output<typeof verificationInput>;
export type MessageInput = z.output<typeof messageInput>;

/** Weeks, days, hours, minutes, seconds. */
const durationPattern =
	/^P(?=.)(?:(\d{1,2})W)?(?:(\d{1,3})D)?(?:T(?=.)(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,7})S)?)?$/;

/** Milliseconds of a duration that fits the pattern. */
export function readDuration(text: string): number {
	const parts = (durationPattern.exec(text)?.slice(1) ?? []).map((part) => Number(part ?? 0));
	const [weeks, days, hours, minutes, seconds] = parts;
	return (((((weeks ?? 0) * 7 + (days ?? 0)) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0)) * 1000;
}

// Of a year that RFC 3339 can say, in UTC too: what is answered of it is a time again.
const [firstMs, lastMs] = [Date.parse("0001-01-01T00:00:00Z"), Date.parse("9999-12-31T23:59:59.999Z")];
const time = z.iso
	.datetime({ offset: true, error: "A time in RFC 3339, with an offset." })
	.refine((text) => !(Date.parse(text) < firstMs || Date.parse(text) > lastMs), {
		error: "A time of the years 1 to 9999, in UTC.",
	});
const duration = z.string().regex(durationPattern, {
	error: "A duration in ISO 8601, of weeks, days, hours, minutes and seconds.",
	// What is refined of it is so only once it is one.
	abort: true,
});
// A word of a vocabulary: too few digits for a number and no blank for a sentence, so it may be stored in clear.
const word = z.string().regex(/^(?!(?:\D*\d){7})[\w.():-]{1,48}$/, { error: "A word of a vocabulary." });
// One that rules compare; its parts are set apart here, so that a decision on record keeps what it was decided by.
const factWord = word.transform(setApart);
// A word that the evidence log takes, short enough for two of them and the full stop between to be one of its codes. The log's
// own pattern leaves room for @; a caller's words stand there for good, and none may be an address.
const loggedWord = z
	.string()
	.max(46)
	.refine((text) => isWord(text) && isOpaqueReference(text), {
		error: "A letter first, then letters, digits and . _ : -, and no seven digits in a row: no address, no number.",
	});
const yesOrReference = z.union([z.boolean(), z.string().min(1).max(64).refine(isOpaqueReference)], {
	error: "Neither a boolean nor an opaque reference.",
});
// Proof of a thing is a yes, or an opaque reference to where it is kept; a word that says that there is none is none.
const proof = yesOrReference.transform((said) => (typeof said === "string" && saysNone(said) ? false : said));

const opaque = z
	.string()
	.min(1)
	.max(limits.clientReferenceCharactersMax)
	.refine(isOpaqueReference, { error: "An opaque reference: no number, no address, no blank." });
// On record a proof counts without being read again: what says that there is none is none here, too.
const proofPlace = opaque.refine((said) => !saysNone(said), {
	error: "A word that says that there is none: name where the proof is kept.",
});
const number = z
	.string()
	.min(1)
	.max(32)
	.meta({ description: "The recipient's, E.164. It is answered nowhere and never part of an address." })
	.transform(Plaintext.text);

const consent = z.strictObject({
	type: z.enum(["none", ...consentTypes]).optional(),
	obtainedAt: time.optional(),
	purposes: z.array(word).max(16).optional(),
	evidence: proof.optional(),
	source: factWord.optional(),
	ground: factWord.optional(),
	withdrawnAt: time.nullable().optional(),
});

// The facts of `context` that a caller may state; what the engine knows better is not among them.
const context = z.strictObject({
	art9Condition: factWord.optional(),
	gdprScope: yesOrReference.optional(),
	autodialed: z.boolean().optional(),
	tcpaBasis: factWord.optional(),
	freeToEndUser: z.boolean().optional(),
	softOptIn: z
		.strictObject({
			collectedInSale: z.boolean().optional(),
			ownSimilarProducts: z.boolean().optional(),
			optOutOfferedAtCollection: z.boolean().optional(),
			optOutInMessage: z.boolean().optional(),
		})
		.optional(),
	hipaaCoveredEntity: z.boolean().optional(),
	hipaaAuthorization: proof.optional(),
	patientPreference: z
		.strictObject({
			channel: factWord.optional(),
			warnedAt: time.optional(),
			evidence: proof.optional(),
		})
		.optional(),
	retentionDisclosure: z.boolean().optional(),
	necessaryForRequestedService: z.boolean().optional(),
	otpDigits: z.int().min(1).max(32).optional(),
});

const wellFormed = (text: string) => text.isWellFormed();
const text = (charactersMax: number) =>
	z.string().min(1).max(charactersMax).refine(wellFormed, { error: "Not well-formed Unicode." });
const variableName = z.string().regex(variableNamePattern, { error: "A name of letters." });

// Everything that a message may be asked for with, but its recipient; each field may also be shared by a whole batch.
const messageFields = {
	body: text(limits.textCharactersMax).transform(Plaintext.text).optional().meta({ description: "Or a template." }),
	template: z.string().max(64).optional().meta({ description: "A template's id; its variables come in `variables`." }),
	variables: z
		.record(variableName, text(limits.textCharactersMax).transform(Plaintext.text))
		.refine((values) => Object.keys(values).length <= limits.templateVariablesMax, { error: "Too many." })
		.optional(),
	substitute: z.boolean().optional().meta({
		description:
			"Put look-alikes of the GSM 7-bit alphabet in the place of other characters, where the text then fits it.",
	}),
	tag: z.boolean().optional().meta({
		description:
			"End the text in a tag by which `/v1/messages/check` tells that it is the tenant's: 13 characters more.",
	}),
	commitmentSalt: z
		.string()
		.regex(/^[\w-]{22,86}$/, { error: "128 random bits or more in base64url." })
		.transform(Plaintext.text)
		.optional()
		.meta({
			description:
				"Has the receipt of sending commit to number and text by it. Yours to keep: it is kept nowhere here.",
		}),
	category: z.enum(categories),
	dataClasses: z.array(z.enum(dataClasses)).max(dataClasses.length),
	deliver: z.enum(deliverModes),
	pin: z
		.string()
		// Whoever reads it somewhere does not see blanks around it.
		.trim()
		// One that is too short is told that, and not besides that it is guessed first.
		.min(limits.pinCharactersMin, { abort: true })
		.max(limits.pinCharactersMax, { abort: true })
		.refine((pin) => wellFormed(pin) && !isGuessable(pin), {
			error: "A birth date, one character repeated, or a run of digits: others try these first.",
		})
		.transform(Plaintext.text)
		.optional()
		.meta({
			description:
				"Of a secure link: its recipient has it from another channel than this SMS. It is stored nowhere, and asked for on the page.",
		}),
	validFor: duration.optional().meta({ description: "From sendAt, or from acceptance; then it expires unsent." }),
	sendAt: time.optional(),
	sender: z
		.string()
		.min(1)
		.max(limits.senderCharactersMax)
		.optional()
		.meta({ description: "One of the tenant's senders." }),
	clientReference: z
		.string()
		.min(1)
		.max(limits.clientReferenceCharactersMax)
		.optional()
		.meta({ description: "An opaque token of the caller's." }),
	webhook: z
		.string()
		.max(64)
		.optional()
		.meta({ description: "Id of the endpoint that is told of it; the tenant's default ones unless told." }),
	consent: consent.optional(),
	lawfulBasis: factWord.optional(),
	recipientRegion: z
		.string()
		.regex(/^[A-Z]{2}-[A-Z0-9]{1,3}$/, { error: "A region of ISO 3166-2." })
		.optional(),
	timezone: z
		.string()
		.refine(isTimezone, { error: "A time zone of the IANA database." })
		.optional()
		.meta({ description: "The recipient's, IANA." }),
	subjectResidence: z
		.string()
		.regex(/^[A-Z]{2}$/, { error: "A country of ISO 3166-1." })
		.refine(isResidence, { error: "A country of ISO 3166-1, or EU." })
		.optional(),
	optedOut: z.enum(["none", "marketing", "all"]).optional(),
	context: context.optional(),
};
const to = z.string().min(1).max(32).meta({ description: "Recipient, E.164." }).transform(Plaintext.text);
const unfilled = "Only a template takes them: what stands in a body goes out as it is.";
const defaults = { dataClasses: ["contact" as const], deliver: "auto" as const };

const messageInput = z
	.strictObject({
		to,
		...messageFields,
		dataClasses: messageFields.dataClasses.default(defaults.dataClasses),
		deliver: messageFields.deliver.default(defaults.deliver),
	})
	// Whatever else is missing: who is told of it last asks once more for nothing.
	.refine(hasOneText, { error: "Either a body or a template.", path: ["body"], when: ({ value }) => isObject(value) })
	.refine(fillsWhatItHas, { error: unfilled, path: ["variables"], when: ({ value }) => isObject(value) })
	.meta({
		id: "MessageRequest",
		// Not `examples`: of what is transformed, zod leaves those out of the shape that comes in.
		example: { to: "+12025550142", body: "Your parcel is at the counter.", category: "transactional", ...defaults },
	});

const between = (text: string, min: number, max: number) => {
	const ms = readDuration(text);
	return ms >= min && ms <= max;
};
const { sender, webhook, clientReference, consent: stated, lawfulBasis, recipientRegion, timezone } = messageFields;

const verificationInput = z
	.strictObject({
		to,
		digits: z.int().min(limits.verificationDigitsMin).max(limits.verificationDigitsMax).default(6),
		validFor: duration
			.refine((text) => between(text, limits.verificationValidForMinMs, limits.verificationValidForMaxMs), {
				error: "From one to ten minutes.",
			})
			.default("PT10M")
			.meta({ description: "How long the code is good." }),
		host: z
			.string()
			.regex(hostPattern, { error: "A host name." })
			.optional()
			.meta({ description: "Browsers offer the code to this host only; one that an administrator set." }),
		locale: z.enum(codeTextLocales).default("en").meta({ description: "Language of the built-in text." }),
		template: z
			.string()
			.max(64)
			.optional()
			.meta({ description: "Instead of the built-in text: a template whose only variable is `code`." }),
		...{ sender, webhook, clientReference, consent: stated, lawfulBasis, recipientRegion, timezone },
		subjectResidence: messageFields.subjectResidence,
	})
	.meta({
		id: "VerificationRequest",
		example: { to: "+4915112345678", locale: "de", digits: 6, validFor: "PT10M", lawfulBasis: "contract" },
	});

const batchFields = {
	...messageFields,
	category: messageFields.category.optional(),
	dataClasses: messageFields.dataClasses.optional(),
	deliver: messageFields.deliver.optional(),
};
const { clientReference: _reference, pin: _pin, ...sharedFields } = batchFields;

const batchInput = z
	.strictObject({
		...sharedFields,
		messages: z
			.array(z.strictObject({ to, ...batchFields }).meta({ id: "BatchMessage" }))
			.min(1)
			.max(limits.submissionMessagesMax)
			.meta({ description: "One a recipient; what stands here goes before what is shared." }),
	})
	.transform(({ messages, ...shared }) => messages.map((own) => mergeShared(shared, own)))
	.superRefine((inputs, checked) => {
		// Each takes a part of a second to stretch.
		const pinned = inputs.flatMap(({ pin }, index) => (pin === undefined ? [] : [index]));
		for (const index of pinned.slice(limits.pinsPerBatchMax)) {
			const message = `At most ${limits.pinsPerBatchMax} of a batch.`;
			checked.addIssue({ code: "custom", path: ["messages", index, "pin"], message });
		}
		for (const [index, input] of inputs.entries()) {
			const path = ["messages", index];
			if (!input.category) checked.addIssue({ code: "custom", path: [...path, "category"], message: "Missing." });
			if (!fillsWhatItHas(input)) checked.addIssue({ code: "custom", path: [...path, "variables"], message: unfilled });
			if (hasOneText(input)) continue;
			checked.addIssue({ code: "custom", path: [...path, "body"], message: "Either a body or a template." });
		}
	})
	.transform((inputs) => inputs as MessageInput[])
	.meta({
		id: "BatchRequest",
		example: {
			category: "transactional",
			messages: [
				{ to: "+12025550142", body: "Your parcel is at the counter." },
				{ to: "+12025550143", body: "Your parcel goes back today." },
			],
		},
	});

const decision = z
	.object({
		allowed: z.boolean(),
		reasons: z.array(z.string()),
		deferUntilLocal: z.string().optional(),
		deferUntilUtc: z.string().optional(),
		deliveryMode: z.enum(deliveryModes).optional(),
		contentRetentionMax: z.string().optional(),
		recordRetentionMin: z.string().optional(),
		recordRetentionMax: z.string().optional(),
		purgeContentWithin: z.string().optional(),
		ackBy: z.string().optional(),
		respondBy: z.string().optional(),
		honorBy: z.string().optional(),
		backupPurgeBy: z.string().optional(),
		notBefore: z.string().optional(),
		certificateNotBefore: z.string().optional(),
		confirmationWithin: z.string().optional(),
		maxConfirmations: z.number().optional(),
		citations: z.array(z.string()),
		packs: z.array(z.object({ id: z.string(), version: z.string() })),
		rules: z.array(z.string()),
	})
	.meta({ id: "Decision" }) satisfies z.ZodType<Decision>;

const state = z
	.enum(states as [State, ...State[]])
	.meta({ id: "State", description: `Final: ${states.filter((name) => lifecycle[name].final).join(", ")}.` });

const links = z.object({ self: z.string() });

const abuseVerdict = z
	.object({
		check: z.enum(["destination", "velocity", "budget"]),
		verdict: z
			.enum(["passed", "noted", "refused"])
			.meta({ description: "`noted`: it would have been refused, were the check not only watching." }),
		reason: z.enum(abuseReasons).optional(),
		country: z.string(),
		unit: z.enum(["segments", "cost"]).optional(),
		period: z.enum(["day", "month"]).optional(),
		everywhere: z.boolean().optional().meta({ description: "The budget is that of all countries together." }),
		windowSeconds: z.int().optional(),
		limit: z.number().optional(),
		seen: z.number().optional().meta({ description: "With this message." }),
	})
	.meta({ id: "AbuseVerdict" }) satisfies z.ZodType<AbuseVerdict>;

const accepted = z
	.object({ id: z.string(), submissionId: z.string(), state, decision, expiresAt: z.string(), links })
	.meta({ id: "AcceptedMessage" });

const segmentation = {
	encoding: z.enum(["gsm7", "ucs2"]),
	segments: z.int(),
	units: z.int().meta({ description: "Septets or UTF-16 code units." }),
};
const dryRun = z
	.object({
		decision,
		abuse: z.array(abuseVerdict).meta({ description: "The tenant's own limits against misuse." }),
		refusal: z
			.enum(dryRunRefusals)
			.optional()
			.meta({ description: "The code by which it is refused though the policies allow it: it can't go as they say." }),
		sendQueue: z.string().optional().meta({ description: "Absent where none serves it." }),
		route: z
			.object({
				sendQueue: z.string(),
				carrier: z.string(),
				sender: z.string(),
				segmentPrice: z
					.number()
					.optional()
					.meta({ description: "Absent where the send queue has none for that country." }),
			})
			.optional()
			.meta({ description: "The send queue that it would take now, and what a segment costs there." }),
		...segmentation,
		substituted: z
			.object({ characters: z.int(), before: z.object(segmentation) })
			.optional()
			.meta({ description: "Where it was asked for: how many characters were, and what the text would have cost." }),
	})
	.meta({ id: "DryRun" });

const kept = z.object({
	eraseBy: z.string(),
	erasedAt: z.string().optional(),
	verifiedAt: z.string().optional(),
	certificateId: z
		.string()
		.optional()
		.meta({ description: "The certificate of the purge that erased it; it is there once that was read back." }),
});

const message = z
	.object({
		id: z.string(),
		submissionId: z.string().meta({ description: "Names its run in Temporal, too." }),
		sharesRun: z
			.literal(true)
			.optional()
			.meta({ description: "It came alone, and that run may drive others that did, too." }),
		state,
		category: z.enum(categories),
		dataClasses: z.array(z.string()),
		deliveryMode: z.enum(deliveryModes),
		country: z.string(),
		sendQueue: z.string().meta({ description: "Where it waits, or was last." }),
		sender: z.string().optional(),
		clientReference: z.string().optional(),
		template: z.string().optional(),
		recipientKey: z.string().optional(),
		webhooks: z.array(z.string()).optional().meta({ description: "Endpoints that are told of it." }),
		acceptedAt: z.string(),
		stateAt: z.string(),
		releaseAt: z.string().optional(),
		expiresAt: z.string(),
		closesAt: z.string().meta({ description: "Until then a receipt is waited for." }),
		held: z.boolean(),
		link: z
			.object({
				state: z
					.enum(linkStandings)
					.meta({ description: "`closed`: too many wrong PINs; `claimed`: one page holds it; `read`: it let go." }),
				expiresAt: z.string(),
				hasPin: z.boolean(),
				wrongPins: z.int(),
				openedAt: z.string().optional(),
				readAt: z.string().optional(),
				closedAt: z.string().optional(),
			})
			.optional()
			.meta({ description: "Of a secure link: whether it was opened." }),
		decision,
		abuse: z.array(abuseVerdict).optional().meta({ description: "Checks that only watched, and what they saw." }),
		attempts: z.array(
			z.object({
				number: z.int(),
				state: z.string().meta({ description: "`open`, or the outcome." }),
				startedAt: z.string(),
				endedAt: z.string().optional(),
				code: z.string().optional(),
				sendQueue: z.string().optional(),
				segments: z.int().optional(),
			}),
		),
		reroutes: z
			.array(z.object({ at: z.string(), from: z.string(), to: z.string(), code: z.string(), decision }))
			.optional()
			.meta({ description: "Moves to another send queue, after the one before surely had not sent it." }),
		receipts: z.array(
			z.object({
				attempt: z.int(),
				state: z.string(),
				at: z.string(),
				receivedAt: z.string(),
				code: z.string().optional(),
				effect: z.string().meta({ description: "`applied` moved the state; the others changed nothing." }),
			}),
		),
		retention: z.object({
			content: kept.optional(),
			address: kept.optional(),
			receipt: kept.optional(),
			decisionRecord: kept.optional(),
		}),
		evidence: z.array(
			z.object({ at: z.string(), type: z.string(), code: z.string().optional(), attempt: z.int().optional() }),
		),
		certificates: z.array(z.string()),
		links,
	})
	.meta({ id: "Message" });

const messagePage = z
	.object({ items: z.array(message), next: z.string().optional().meta({ description: "The next page's cursor." }) })
	.meta({ id: "MessagePage" });

const certificate = z
	.object({
		id: z.string(),
		kind: z.enum(["submission", "purge", "record", "request", "tenant"]),
		issuedAt: z.string(),
		jws: z.string().meta({
			description:
				"JWS in compact form (RFC 7515): all that is signed. The fields beside it are read from its payload.",
		}),
	})
	.meta({ id: "Certificate" });

const certificatePage = z
	.object({ items: z.array(certificate), next: z.string().optional() })
	.meta({ id: "CertificatePage" });

const act = {
	type: z.enum(actTypes),
	code: z.string().optional(),
	about: z.string().optional().meta({ description: "Id of what it was done to." }),
	by: z.string().optional(),
	attempt: z.int().optional(),
	predecessor: z
		.object({ origin: z.string(), size: z.int(), root: z.string() })
		.optional()
		.meta({ description: "The log whose successor this one is, and what its last checkpoint covers." }),
};

const evidencePage = z
	.object({
		items: z.array(
			z
				.object({ index: z.int(), id: z.string(), at: z.string(), tenantId: z.string().optional(), ...act })
				.meta({ id: "EvidenceEntry" }),
		),
		next: z.string().optional(),
	})
	.meta({ id: "EvidencePage" });

const inclusionProof = z
	.object({
		schema: z.string(),
		checkpoint: z.string().meta({ description: "A signed note." }),
		index: z.int(),
		entry: z.string().meta({ description: "Canonical JSON (RFC 8785), as hashed." }),
		hashes: z.array(z.string()),
	})
	.meta({ id: "InclusionProof" });

const growthProof = z
	.object({ checkpoint: z.string(), older: z.int(), hashes: z.array(z.string()) })
	.meta({ id: "GrowthProof" });

const ended = { at: z.string(), by: z.string(), source: z.enum(endingSources), evidence: z.string().optional() };

const numberSearch = z.strictObject({ number }).meta({ id: "NumberSearch" });

const publicKey = z.object({
	kty: z.literal("OKP"),
	crv: z.literal("X25519"),
	x: z.string().regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/, { error: "32 bytes in base64url, without padding." }),
});
// What else a JWK says of itself is left out; a private half has no business here.
const claimedKey = publicKey.extend({ d: z.undefined({ error: "The private half stays on the device." }).optional() });

const keyClaim = {
	number,
	key: claimedKey.meta({ description: "An X25519 public key (RFC 8037); never its private half." }),
	version: z.enum(textVersions).default("lethe1").meta({
		description: "How texts are encrypted to it: `lethe2` says who wrote them, expires, and hides how long they are.",
	}),
};
const keyChallengeInput = z.strictObject(keyClaim).meta({ id: "RecipientKeyChallengeRequest" });

const senderKeys = z
	.object({ keys: z.array(publicKey) })
	.meta({ id: "SenderKeys", description: "By which a recipient tells who wrote a `lethe2` text, the newest first." });

const keyChallenge = z
	.object({
		id: z.string(),
		challenge: z.string().meta({ description: "A `lethe1` text: what it decrypts to is the answer." }),
		expiresAt: z.string(),
		senderKeys: senderKeys.optional(),
	})
	.meta({ id: "RecipientKeyChallenge" });

const recipientKeyInput = z
	.strictObject({
		...keyClaim,
		answer: z.string().max(64).meta({ description: "What the challenge decrypted to." }),
	})
	.meta({ id: "RecipientKeyRequest" });

const recipientKey = z
	.object({
		id: z.string(),
		key: publicKey,
		version: z.enum(textVersions),
		registeredAt: z.string(),
		registeredBy: z.string(),
		eraseBy: z.string().optional(),
		ended: z.object(ended).optional(),
	})
	.meta({ id: "RecipientKey" });

const recipientKeyPage = z
	.object({ items: z.array(recipientKey), next: z.string().optional() })
	.meta({ id: "RecipientKeyPage" });

const textCheck = z
	.strictObject({
		number,
		text: text(limits.textCharactersMax * 2)
			.transform(Plaintext.text)
			.meta({ description: "As it was read, its tag included; blanks and line breaks may differ." }),
	})
	.meta({ id: "TextCheck" });

const consentInput = z
	.strictObject({
		number,
		type: z.enum(consentTypes),
		purposes: z.array(word).min(1).max(limits.purposesPerConsentMax),
		obtainedAt: time,
		wording: opaque.meta({ description: "Reference and version of the wording agreed to; never the text." }),
		evidence: proofPlace.meta({ description: "Where the proof is kept." }),
		source: word.optional(),
		ground: word.optional(),
	})
	.meta({ id: "ConsentRequest" });

const withdrawalInput = z
	.strictObject({ withdrawnAt: time.optional(), evidence: opaque.optional() })
	.meta({ id: "WithdrawalRequest" });

const whereabouts = {
	country: z.string().optional().meta({
		description: "Of the recipient, by the number. It says which packs set how long the record stays.",
	}),
	region: z.string().optional(),
};

const consentRecord = z
	.object({
		id: z.string(),
		type: z.enum(consentTypes),
		purposes: z.array(z.string()),
		obtainedAt: z.string(),
		wording: z.string(),
		evidence: z.string(),
		source: z.string().optional(),
		ground: z.string().optional(),
		...whereabouts,
		recordedAt: z.string(),
		recordedBy: z.string(),
		eraseBy: z.string().optional().meta({
			description:
				"An express one stays beyond that while it is in effect, and as long after as a law wants its proof.",
		}),
		withdrawn: z.object(ended).optional(),
	})
	.meta({ id: "Consent" });

const consentPage = z
	.object({ items: z.array(consentRecord), next: z.string().optional() })
	.meta({ id: "ConsentPage" });

const consentsFound = z
	.object({
		items: z.array(
			consentRecord
				.extend({
					inEffectFor: z.array(z.string()).meta({
						description:
							"Of its purposes those that it still counts for: an opt-out from marketing, or the withdrawal of any consent to a purpose, ends all that were given before; and where the number is, a policy may have it end some time after it was given.",
					}),
				})
				.meta({ id: "ConsentFound" }),
		),
		optedInAt: z.string().optional().meta({
			description:
				"When the number opted in to marketing again after a consent on record: that counts as an express one, and what a caller states of before as express at most.",
		}),
		optedOut: z.enum(optOutScopes).meta({ description: "What the number is blocked from, whatever it agreed to." }),
	})
	.meta({ id: "ConsentsFound" });

const optOutInput = z
	.strictObject({
		number,
		scope: z.enum(optOutScopes).meta({ description: "`none`, as lists say it, lifts nothing." }),
		source: z.enum(["api", "import"]).default("api"),
		at: time.optional().meta({ description: "When the recipient opted out; now unless told." }),
	})
	.meta({ id: "OptOutRequest" });

const liftInput = z
	.strictObject({
		obtainedAt: time.meta({ description: "When the recipient opted in again: after the opt-out." }),
		evidence: proofPlace.meta({ description: "Where the proof of it is kept." }),
	})
	.meta({ id: "LiftRequest" });

const optOut = z
	.object({
		id: z.string(),
		scope: z.enum(["marketing", "all"]),
		source: z.enum(optOutSources),
		at: z.string(),
		...whereabouts,
		recordedAt: z.string(),
		recordedBy: z.string(),
		honorBy: z.string().optional().meta({ description: "The law's latest date; Lethe stops at once." }),
		eraseBy: z.string().optional(),
		lifted: z.object(ended).optional(),
	})
	.meta({ id: "OptOut" });

const optOutPage = z.object({ items: z.array(optOut), next: z.string().optional() }).meta({ id: "OptOutPage" });

const optedOut = z
	.object({ optedOut: z.enum(optOutScopes), items: z.array(optOut) })
	.meta({ id: "OptedOut", description: "What opt-outs block of a number now, and all that are on record of it." });

const recordedOptOut = z
	.object({
		optedOut: z
			.enum(optOutScopes)
			.optional()
			.meta({ description: "What is blocked at the least; absent after `none`, which neither blocks nor tells." }),
		items: z.array(optOut).meta({
			description: "The opt-out, where the caller has recorded it, now or before, and may search.",
		}),
	})
	.meta({
		id: "RecordedOptOut",
		description: "What the caller knows of a number; `searchOptOuts` tells what else is.",
	});

const holdInput = z
	.discriminatedUnion("scope", [
		z.strictObject({ scope: z.literal("message"), messageId: z.string().max(64), ...holdFields() }),
		z.strictObject({ scope: z.literal("subject"), number, ...holdFields() }),
		z.strictObject({
			scope: z.literal("period"),
			from: time.meta({ description: "Messages accepted from then on," }),
			to: time.optional().meta({ description: "and until then, both included; those to come where it is absent." }),
			...wideHoldFields(),
		}),
		z.strictObject({ scope: z.literal("tenant"), ...wideHoldFields() }),
	])
	.meta({ id: "HoldRequest" });

const hold = z
	.object({
		id: z.string(),
		scope: z.enum(holdScopes),
		messageId: z.string().optional(),
		from: z.string().optional(),
		to: z.string().optional(),
		ground: z.string(),
		reason: z.string().optional(),
		approvedBy: z.string().optional().meta({ description: "Who is named as its approver." }),
		approvedAt: z.string().optional().meta({ description: "When they approved it themselves; until then it waits." }),
		reviewAt: z.string().optional(),
		appliedAt: z
			.string()
			.optional()
			.meta({ description: "Of a period or tenant: from then on each message bears it. Nothing is purged before." }),
		placedAt: z.string(),
		placedBy: z.string(),
		released: z.object(ended).optional(),
	})
	.meta({ id: "Hold" });

const holdPage = z.object({ items: z.array(hold), next: z.string().optional() }).meta({ id: "HoldPage" });

const problem = z
	.looseObject({
		type: z.string(),
		title: z.string(),
		status: z.int(),
		code: z.string(),
		retryable: z.boolean(),
		requestId: z.string(),
		errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
	})
	.meta({ id: "Problem" });

/** Every schema by name; each of them is a component of the OpenAPI document. */
export const schemas = {
	messageInput,
	batchInput,
	verificationInput,
	accepted,
	dryRun,
	message,
	messagePage,
	certificate,
	certificatePage,
	evidencePage,
	inclusionProof,
	growthProof,
	numberSearch,
	textCheck,
	senderKeys,
	keyChallengeInput,
	keyChallenge,
	recipientKeyInput,
	recipientKey,
	recipientKeyPage,
	consentInput,
	withdrawalInput,
	consent: consentRecord,
	consentPage,
	consentsFound,
	optOutInput,
	liftInput,
	optOut,
	optOutPage,
	optedOut,
	recordedOptOut,
	holdInput,
	hold,
	holdPage,
	problem,
	state,
};

type Texted = { body?: Plaintext | undefined; template?: string | undefined; variables?: object | undefined };

function isObject(value: unknown): boolean {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasOneText({ body, template }: Texted): boolean {
	return (body === undefined) !== (template === undefined);
}

/** Whoever gives variables to a body took it for a template: its places would be read as they stand. */
function fillsWhatItHas({ body, template, variables }: Texted): boolean {
	return Object.keys(variables ?? {}).length === 0 || body === undefined || template !== undefined;
}

/** A message of a batch: its own fields before the shared ones, variables name by name. */
function mergeShared<Shared extends Texted, Own extends Shared>(shared: Shared, own: Own) {
	const { body: _body, template: _template, ...others } = shared;
	const hasText = own.body !== undefined || own.template !== undefined;
	// Into a body of its own goes nothing of what the others' template is filled with.
	const common = own.body === undefined ? shared.variables : undefined;
	const variables = own.variables || common ? { ...common, ...own.variables } : undefined;
	return { ...defaults, ...(hasText ? others : shared), ...own, variables };
}

/** Fields that several rooms' shapes share. */
export const fields = { time, duration, word, loggedWord, opaque, number };

/** How every list is paged. */
export const pageQuery = {
	cursor: z.string().max(128).optional(),
	limit: z.coerce.number().int().min(1).max(limits.pageItemsMax).default(20),
};

function holdFields() {
	return {
		ground: word.meta({ description: "Why, in a word." }),
		reason: opaque.optional().meta({ description: "Opaque reference to the matter that it serves." }),
		approvedBy: opaque.optional().meta({
			description:
				"Id of the person who approves it, not of who places it: an approver, an administrator or compliance. They say so " +
				"themselves, or reject it.",
		}),
		reviewAt: time.optional(),
	};
}

// What keeps a whole tenant's messages beyond their time takes a second person, and a date.
function wideHoldFields() {
	const fields = holdFields();
	return { ...fields, approvedBy: fields.approvedBy.unwrap(), reviewAt: time };
}

/** A country, or a region of one; for the packs the Union counts as one. */
export function isResidence(place: string): boolean {
	return place === "EU" || isPlace(place);
}

/** Segments a second, and by country. */
export const segmentsPerSecond = z.int().min(1).max(100_000).meta({ description: "Segments a second." });
export const countryCode = z.string().refine(isCountry, { error: "A country of ISO 3166-1." });
export const countryRates = z.record(countryCode, segmentsPerSecond);
/** What an earlier build took for a country: it is shown as it stands, so that it can be taken away. */
export const storedCountry = z.string();
/** What is given by country, as it is shown. */
export const asStored = <Value extends z.ZodType>(byCountry: z.ZodRecord<z.ZodString, Value>) =>
	z
		.record(storedCountry, byCountry.valueType)
		.meta(byCountry.meta() ?? {})
		.optional();

/** How every route says that it may answer with a problem. */
export const problems = {
	"4XX": { description: "Refused", content: { "application/problem+json": { schema: problem } } },
	"5XX": { description: "Failed", content: { "application/problem+json": { schema: problem } } },
};
