// What the door needs of the house; each part of it takes only its own share.

import type { Logger } from "pino";
import type { ApiKeys } from "../adapters/apiKeys.ts";
import type { Carrier } from "../adapters/carriers/carrier.ts";
import type { Cohorts } from "../adapters/cohorts.ts";
import type { ExportSeal } from "../adapters/exportSeal.ts";
import type { IssuerKeys } from "../adapters/issuerKeys.ts";
import type { Quarantine } from "../adapters/ledger/quarantine.ts";
import type { LinkSeal } from "../adapters/linkSeal.ts";
import type { Store } from "../adapters/mongo/store.ts";
import type { OpenidClient } from "../adapters/openidClient.ts";
import type { OutboundHttp } from "../adapters/outboundHttp.ts";
import type { People } from "../adapters/people.ts";
import type { PersonMacs } from "../adapters/personMacs.ts";
import type { Replays } from "../adapters/redis/replays.ts";
import type { RequestCounts } from "../adapters/redis/requestCounts.ts";
import type { SendQueues } from "../adapters/redis/sendQueues.ts";
import type { Sessions } from "../adapters/redis/sessions.ts";
import type { Runs } from "../adapters/temporal/client.ts";
import type { SharedRuns } from "../adapters/temporal/sharedRuns.ts";
import type { TextSeal } from "../adapters/textSeal.ts";
import type { Encryption } from "../adapters/vault/encryption.ts";
import type { HmacKeys } from "../adapters/vault/hmacKeys.ts";
import type { KeyVersions } from "../adapters/vault/keyVersions.ts";
import type { PersonSeal } from "../adapters/vault/personSeal.ts";
import type { ProviderCredentials } from "../adapters/vault/providerCredentials.ts";
import type { Signer } from "../adapters/vault/signer.ts";
import type { TokenSigner } from "../adapters/vault/tokenSigner.ts";
import type { WebhookSecrets } from "../adapters/vault/webhookSecrets.ts";
import type { Checkpoints } from "../audit/checkpoints.ts";
import type { Evidence } from "../audit/evidence.ts";
import type { EvidenceExports } from "../audit/evidenceExport.ts";
import type { KeyPeriods } from "../audit/keyAges.ts";
import type { IdKind } from "../domain/ids.ts";
import type { Policies } from "../policies/index.ts";
import type { Publish } from "../policies/publish.ts";

export type ApiDeps = {
	/** Epoch milliseconds. */
	clock: () => number;
	ids: { random: (kind: IdKind) => string; derive: (kind: IdKind, text: string) => string };
	log: Pick<Logger, "info" | "warn" | "error" | "debug" | "isLevelEnabled">;
	/** Of this release. */
	version: string;
	/** The API as callers and carriers see it; no slash at the end. */
	publicUrl: string;
	store: Store;
	/** Decrypts what secure links open, and nothing else: Vault sees to that. */
	encryption: Pick<Encryption, "encrypt" | "decrypt">;
	linkSeal: Pick<LinkSeal, "create" | "hashOf" | "openChannel">;
	exportSeal: Pick<ExportSeal, "createReader">;
	keyVersions: Pick<KeyVersions, "read">;
	/** What is too late, and too old; metrics say so. */
	limits: { purgeLagMsMax: number; keyPeriods: KeyPeriods };
	cohorts: Pick<Cohorts, "ensure">;
	hmac: Pick<HmacKeys, "mac" | "macs" | "allMacs">;
	policies: Pick<Policies, "consider" | "evaluate" | "extendableTo" | "isCapped" | "retentionPlan">;
	/** Which packs there are, in force or not, and what they say. */
	packs: Pick<Policies, "versions" | "text" | "file" | "pinned" | "inForce">;
	publish: Pick<Publish, "read" | "propose" | "check" | "simulate" | "approve" | "publish" | "withdraw">;
	runs: Pick<Runs, "startSoon" | "whileAccepting" | "settleSoon" | "wakeRequestSoon" | "revealSoon" | "workersSeen">;
	/** Where single messages that come close together meet. */
	sharedRuns: SharedRuns;
	apiKeys: ApiKeys;
	/** Signs our own access tokens, and shows what verifies them. */
	tokens: TokenSigner;
	/** Signs receipts of sending. */
	receipts: Pick<TokenSigner, "sign" | "publicJwks">;
	/** What verifies those of outside issuers. */
	issuerKeys: IssuerKeys;
	/** A queue's carrier, opened with that queue's callback secrets only; undefined for an unknown queue. */
	carriers: { verifier: (sendQueue: string) => Promise<Carrier | undefined> };
	/** The callbacks that were just taken. */
	replays: Pick<Replays, "isKnown" | "remember">;
	/** Enters acts into the evidence log, before they are done. */
	evidence: Pick<Evidence, "append">;
	/** Who may sign in, as administrators change it. */
	people: People;
	personMacs: PersonMacs;
	personSeal: PersonSeal;
	sessions: Omit<Sessions, "close">;
	/** Speaks to tenants' identity providers, and what it shows them. */
	openid: Pick<OpenidClient, "authorizationUrl" | "redeem">;
	providerCredentials: Pick<ProviderCredentials, "read">;
	/** Of a session: unused and at all; and how long a second factor counts as fresh. */
	sessionLimits: { idleMs: number; lifeMs: number; freshMfaMs: number };
	sendQueues: Pick<SendQueues, "areIll" | "countRange" | "failing" | "live" | "senderCount">;
	/** What of a URL that a tenant names is refused. */
	outbound: Pick<OutboundHttp, "refusalOf">;
	textSeal: TextSeal;
	webhookSecrets: Pick<WebhookSecrets, "create">;
	requestCounts: Pick<RequestCounts, "take">;
	/** How often callers may come, and how many may be served at once. */
	requestLimits: {
		requestsInFlightMax: number;
		keyRequestsPerSecond: number;
		tenantRequestsPerSecond: number;
		addressRequestsPerSecond: number;
		failedAuthenticationsPerMinute: number;
	};
	/** Addresses of the proxies that are believed about who calls; none means that whoever connects calls. */
	trustedProxies: string[];
	/** Where metrics may be read from, CIDR. */
	metricsFrom: string[];
	evidenceExports: EvidenceExports;
	/** Whether this process may work at all. */
	quarantine: Pick<Quarantine, "checkSettled">;
	signer: Pick<Signer, "publicJwks">;
	checkpoints: Pick<Checkpoints, "standing">;
	/** Server → a call that throws while it can't be reached. */
	checks: Record<string, () => Promise<unknown>>;
	tlsCertificateEndsAt: () => number | undefined;
	/** Server that TLS is spoken with → when its certificate ends, epoch ms. */
	serverCertificateEnds: Record<string, () => Promise<number>>;
};
