// The collections: their documents' shapes and the index behind every query. No TTL index: only Lethe's eraser erases.

import { type Model, Schema } from "mongoose";
import type { AbuseLimits } from "../../domain/abuse.ts";
import type { Bundle } from "../../domain/evidence.ts";
import type { Epoch, WaitingEntry } from "../../domain/ledger.ts";
import type { LinkSettings } from "../../domain/linkRecord.ts";
import type { Category, Message, SealedObjectName } from "../../domain/message.ts";
import type { PolicyVersion, Proposal, Retiming } from "../../domain/proposal.ts";
import type { Route } from "../../domain/routes.ts";
import type { SubjectRecord } from "../../domain/subject.ts";
import type { TenantStanding } from "../../domain/tenancy.ts";
import type { Verification } from "../../domain/verification.ts";
import type { WebhookDelivery, WebhookEndpoint } from "../../domain/webhook.ts";
import type { MongoConnection } from "./connection.ts";
import type { PersonLoginDocument, StoredPerson } from "./people.ts";
import type { SpendingDocument } from "./spending.ts";
import type { ExportJob, ExportPage, StoredRequest } from "./subjectRequests.ts";
import type { TemplateDocument } from "./templates.ts";

/** A bucket of due times: the unit in which keys are destroyed. Times are epoch milliseconds. */
export type Cohort = {
	_id: string;
	tenantId: string;
	region: string;
	retentionClass: string;
	/** Its end: the key is destroyed at this time; `noEnd` for the key of a hold that is not released. */
	dueAt: number;
	/** The hold whose key this is: what it keeps beyond its own cohort's end is wrapped under it. */
	holdId?: string;
	/** Of what secure links open: its key is of those that the API may decrypt by. */
	linked?: true;
	/** `condemned`: nothing was found to need its key; it is looked once more before it is destroyed. */
	state: "open" | "closing" | "condemned" | "destroyed";
	createdAt: number;
	/** When its key's oldest version that still opens anything was made. */
	keyMadeAt: number;
	destroyedAt?: number;
	certificates: string[];
	/** Members have left it for other cohorts; when the last of them is due under the policies of today. */
	leftDueAt?: number;
	leftAt?: number;
	/** Given up before it is due: nothing may join it any more. */
	retiredAt?: number;
	nextCheckAt?: number;
};

/** The wrapped copy of a key that wraps data keys; the plain copy lives in process memory only. */
export type WrappingKeyDocument = { _id: string; cohortId: string; wrapped: string; createdAt: number };

/** An authenticated receipt whose message is not known yet; its details are encrypted. */
export type ParkedReceipt = {
	_id: string;
	sendQueue: string;
	carrierId: string;
	sealed: NonNullable<Message["content"]>;
	parkedAt: number;
	/** When the sweep must look again whether its message is known. */
	nextCheckAt: number;
	eraseBy: number;
};

export type CertificateDocument = {
	_id: string;
	tenantId: string;
	kind: "submission" | "purge" | "record" | "request" | "tenant";
	/** The submission's, cohort's, record's, request's or tenant's id. */
	about: string;
	jws: string;
	issuedAt: number;
};

/**
 * One page of a purge, noted before anything of it is erased, until its certificate is stored: whoever finds the note
 * reads back what it erased, and certifies that.
 */
export type PurgePage = {
	/** Its certificate's id, which the messages that it erased bear. */
	_id: string;
	tenantId: string;
	cohortId: string;
	object: SealedObjectName;
	messageIds: string[];
	/** When it was begun; each of its messages has when it was erased. */
	erasedAt: number;
};

/** The stored answer to a POST; absent `answer` means that it is still running. A `body` with a secret in it is not kept. */
export type IdempotencyDocument = {
	_id: string;
	fingerprint: string;
	startedAt: number;
	answer?: { status: number; body?: string };
	eraseBy: number;
};

/** How far this store has come; the ledger outside knows as well. */
export type EpochDocument = Epoch & { _id: string };

/** What a machine may do for a tenant, and from where. */
export type Grant = {
	tenantId: string;
	roles: string[];
	/** The only categories that it may send; absent means any. */
	categories?: Category[];
	/** The only networks that it may come from, CIDR; absent means any. */
	addresses?: string[];
};

/** A public key (RFC 7517) of those that `publicKey` in api/routes/apiKeys.ts lets in. */
export type PublicKey = { kty: string } & Record<string, string>;

/** What each request has to prove besides bearing a key's text, or its token. */
export type Proof = "signature" | "dpop" | "certificate";

/** An outside issuer of tokens, which act for one tenant. */
export type IssuerDocument = {
	/** Derived from its URL: it can be trusted once. */
	_id: string;
	url: string;
	tenantId: string;
	audience: string;
	/** The claim that says what a token is for, and what its values give. */
	claim: string;
	mapping: { value: string; roles: string[] }[];
	/** Also tokens that don't say that they are access tokens. */
	acceptsJwt?: boolean;
	/** When it was trusted as it is now. */
	createdAt: number;
};

/** A tenant's identity provider (OpenID Connect), by which its people sign in. */
export type IdentityProviderDocument = {
	/** Derived from its URL: it is one tenant's. */
	_id: string;
	/** Its issuer, as in its ID tokens' `iss`. */
	url: string;
	tenantId: string;
	/** As which client we are registered there, and how we show it; the secret or private key is in Vault. */
	clientId: string;
	authentication: "client_secret_basic" | "client_secret_post" | "private_key_jwt";
	/** What an ID token has to say for a second factor to count as shown; where both are set, both. Never neither. */
	mfa: {
		/** All words of one of these lists. */
		amr?: string[][];
		/** One of these. */
		acr?: string[];
	};
	createdAt: number;
};

/** A proof that was used: another of its id is a replay. */
export type SpentProof = { _id: string; eraseBy: number };

/** A keyed hash of an API key's text; `endsAt` once it was rotated out, `madeBy` the request that made it. */
export type ApiKeySecret = {
	mac: string;
	macVersion: number;
	createdAt: number;
	endsAt?: number;
	madeBy?: string;
};

export type ApiKeyDocument = Grant & {
	_id: string;
	/** The newest first; none where it signs instead. */
	secrets: ApiKeySecret[];
	/** The principals that were ever shown one of its texts; it only grows. Absent where it has had none. */
	shownTo?: string[];
	publicKeys?: PublicKey[];
	/** Thumbprints (`x5t#S256`) of the only client certificates that its tokens are bound to. */
	certificates?: string[];
	proof?: Proof;
	name: string;
	createdAt: number;
	createdBy: string;
	expiresAt?: number;
	revokedAt?: number;
	/** To the minute. */
	lastUsedAt?: number;
	/** Keyed hashes of the networks that it came from. */
	seenFrom?: string[];
};

export type TenantDocument = AbuseLimits & {
	_id: string;
	name: string;
	/** ISO 3166-1 country of the tenant's establishment. */
	establishment: string;
	sendQueues: string[];
	/** Regions that its messages may be processed in; absent means any. */
	regions?: string[];
	/** Segments a second, on each of its send queues together. */
	ratePerSecond?: number;
	/** Segments a second to a country, ISO 3166-1. */
	countryRates?: Record<string, number>;
	/** Categories of which a message ends at once when its own queue alone can't send it by its deadline; codes unless told. */
	refuseHopeless?: Category[];
	/** Whether its people may propose, approve and publish policies, which hold for every tenant. */
	governsPolicies?: boolean;
	/** Needs the tenant has stated, per object: keep until then, within what the packs permit. ISO 8601 durations. */
	retention: Partial<Record<"content" | "address" | "receipt" | "decision_record", string>>;
	/** What recipients' own messages do and are answered with. */
	inbound?: {
		/** What STOP blocks; everything unless the tenant's senders send nothing but marketing. */
		stopScope?: "marketing" | "all";
		/** The one confirmation of an opt-out. */
		stopReply?: string;
		/** The answer to HELP; without it there is none. */
		helpReply?: string;
	};
	/** Of one-time codes: hosts that they may be bound to, who asks for them, and how many may be sent anew an hour. */
	verification?: { hosts?: string[]; name?: string; resendsPerHour?: number };
	/**
	 * What its machines ask must be signed (RFC 9421), whatever their keys ask for: all, or with `step_up` what asks of
	 * people for a fresh second factor.
	 */
	requiresSignatures?: boolean | "step_up";
	/** Where its secure links lead; without it, it can send none. */
	link?: LinkSettings;
	createdAt: number;
	/** Absent while it is active. */
	standing?: TenantStanding;
	/** Counts what was done about its standing. */
	standingRevision?: number;
	/**
	 * How far the sweep has gone through its messages, the newest first, since it was suspended or began to leave at `since`;
	 * and for how many of them there was something to do. Absent between two passes.
	 */
	pass?: { since: number; startedAt: number; count: number; place?: { acceptedAt: number; id: string } };
	/** When the sweep must look at it again. */
	nextCheckAt?: number;
};

/** One carrier and sender: messages of a send queue share its rate and its credentials. */
export type SendQueueDocument = Route & {
	/** While it is paused or drains, what waits for it goes to other queues where it may. */
	moveWaiting?: boolean;
	carrier: string;
	settings: Record<string, string>;
	/** Segments a second. */
	ratePerSecond?: number;
	/** Segments a second to a country, ISO 3166-1. */
	countryRates?: Record<string, number>;
	/** What its carrier is to do with its copy of a message that is final, where it can forget one; `redact` unless told. */
	carrierCopy?: "redact" | "keep";
};

/** A full tile of hashes, named `level/index`. Those of level 0 are its entries' own, and are not kept a second time. */
export type TileDocument = { _id: string; hashes?: Uint8Array; root: Uint8Array };

/** The last checkpoint that was signed. */
export type CheckpointDocument = { _id: string; size: number; note: string };

const collections = {
	messages: [
		{ nextCheckAt: 1 },
		{ unintegratedSince: 1 },
		{ backlog: 1 },
		{ notifyAt: 1 },
		{ redaction: 1 },
		{ submissionId: 1, group: 1, state: 1 },
		{ tenantId: 1, acceptedAt: -1, _id: -1 },
		{ "attempts.carrierId": 1 },
		{ "link.hash": 1 },
		{ "content.cohortId": 1 },
		{ "address.cohortId": 1 },
		{ "subject.mac": 1, category: 1, acceptedAt: -1 },
		{ "subject.others": 1, category: 1, acceptedAt: -1 },
	],
	subjectRecords: [
		{ subjects: 1 },
		{ tenantId: 1, kind: 1, recordedAt: -1, _id: -1 },
		{ nextCheckAt: 1 },
		{ awaits: 1 },
	],
	subjectRequests: [
		{ tenantId: 1, recordedAt: -1, _id: -1 },
		{ tenantId: 1, state: 1, recordedAt: 1 },
		{ tenantId: 1, "erasure.recheckAt": 1 },
		{ nextCheckAt: 1 },
	],
	subjectExports: [{ requestId: 1 }, { eraseBy: 1 }],
	subjectExportPages: [{ exportId: 1 }, { eraseBy: 1 }],
	cohorts: [
		{ nextCheckAt: 1 },
		{ holdId: 1 },
		{ tenantId: 1, state: 1, holdId: 1 },
		{ state: 1, dueAt: 1 },
		{ state: 1, keyMadeAt: 1 },
	],
	wrappingKeys: [{ cohortId: 1 }],
	parkedReceipts: [{ carrierId: 1 }, { nextCheckAt: 1 }, { eraseBy: 1 }, { "sealed.cohortId": 1 }],
	purgePages: [{ cohortId: 1 }],
	certificates: [{ tenantId: 1, about: 1, issuedAt: -1, _id: -1 }],
	idempotencyKeys: [{ eraseBy: 1 }],
	apiKeys: [{ "secrets.mac": 1 }, { tenantId: 1, createdAt: -1, _id: -1 }],
	spentProofs: [{ eraseBy: 1 }],
	issuers: [{ tenantId: 1 }],
	identityProviders: [{ tenantId: 1 }],
	epochs: [],
	ledgerWaiting: [{ at: 1 }],
	people: [{ tenantId: 1, createdAt: -1, _id: -1 }, { "enrolment.mac": 1 }, { "sso.mac": 1 }],
	personLogins: [{ mac: 1 }, { personId: 1 }],
	tenants: [{ sendQueues: 1 }, { nextCheckAt: 1 }],
	sendQueues: [],
	spending: [{ tenantId: 1 }, { nextCheckAt: 1 }],
	templates: [
		{ tenantId: 1, createdAt: -1, _id: -1 },
		{ tenantId: 1, name: 1 },
	],
	verifications: [{ ids: 1 }, { nextCheckAt: 1 }, { tenantId: 1 }],
	webhookEndpoints: [{ tenantId: 1, createdAt: -1, _id: -1 }, { state: 1 }],
	webhookDeliveries: [{ nextAt: 1 }, { "event.messageId": 1 }, { endpointId: 1, at: -1, _id: -1 }, { eraseBy: 1 }],
	policyProposals: [{ nextCheckAt: 1 }, { createdAt: -1, _id: -1 }, { state: 1, createdAt: -1, _id: -1 }],
	policyVersions: [],
	policyRetimings: [{ sequence: -1 }],
	evidenceBundles: [{ start: -1 }, { about: 1, start: -1 }, { tenants: 1, start: -1 }, { at: 1, start: 1 }],
	evidenceTiles: [],
	evidenceCheckpoints: [],
} as const satisfies Record<string, Record<string, 1 | -1>[]>;

/**
 * Every index there is, by collection; a test explains each query against them.
 */
export const indexes: Record<keyof typeof collections, readonly Record<string, 1 | -1>[]> = collections;

export type Models = ReturnType<typeof createModels>;

/** Binds the collections to a connection and answers their driver handles, typed. */
export function createModels(connection: MongoConnection) {
	const bind = <Document extends { _id: string }>(name: keyof typeof collections) => {
		// The driver's own calls carry the documents: hydrating 5,000 a second would cost more than sending them.
		const schema = new Schema({ _id: String }, { collection: name, strict: false, versionKey: false });
		// A second store on the same connection shares the model.
		return (connection.models[name] as Model<Document>) ?? connection.model<Document>(name, schema as never);
	};
	return {
		messages: bind<Message>("messages"),
		subjectRecords: bind<SubjectRecord>("subjectRecords"),
		subjectRequests: bind<StoredRequest>("subjectRequests"),
		subjectExports: bind<ExportJob>("subjectExports"),
		subjectExportPages: bind<ExportPage>("subjectExportPages"),
		cohorts: bind<Cohort>("cohorts"),
		wrappingKeys: bind<WrappingKeyDocument>("wrappingKeys"),
		parkedReceipts: bind<ParkedReceipt>("parkedReceipts"),
		purgePages: bind<PurgePage>("purgePages"),
		certificates: bind<CertificateDocument>("certificates"),
		idempotencyKeys: bind<IdempotencyDocument>("idempotencyKeys"),
		apiKeys: bind<ApiKeyDocument>("apiKeys"),
		spentProofs: bind<SpentProof>("spentProofs"),
		issuers: bind<IssuerDocument>("issuers"),
		identityProviders: bind<IdentityProviderDocument>("identityProviders"),
		epochs: bind<EpochDocument>("epochs"),
		ledgerWaiting: bind<WaitingEntry>("ledgerWaiting"),
		people: bind<StoredPerson>("people"),
		personLogins: bind<PersonLoginDocument>("personLogins"),
		tenants: bind<TenantDocument>("tenants"),
		sendQueues: bind<SendQueueDocument>("sendQueues"),
		spending: bind<SpendingDocument>("spending"),
		templates: bind<TemplateDocument>("templates"),
		verifications: bind<Verification>("verifications"),
		webhookEndpoints: bind<WebhookEndpoint>("webhookEndpoints"),
		webhookDeliveries: bind<WebhookDelivery>("webhookDeliveries"),
		policyProposals: bind<Proposal>("policyProposals"),
		policyVersions: bind<PolicyVersion>("policyVersions"),
		policyRetimings: bind<Retiming>("policyRetimings"),
		evidenceBundles: bind<Bundle>("evidenceBundles"),
		evidenceTiles: bind<TileDocument>("evidenceTiles"),
		evidenceCheckpoints: bind<CheckpointDocument>("evidenceCheckpoints"),
	};
}
