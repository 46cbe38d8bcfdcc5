// What the steps need of the house; each takes only its own share.

import type { Carrier } from "../adapters/carriers/carrier.ts";
import type { Cohorts } from "../adapters/cohorts.ts";
import type { ExportSeal } from "../adapters/exportSeal.ts";
import type { KeyRotation } from "../adapters/keyRotation.ts";
import type { Ledger } from "../adapters/ledger/ledger.ts";
import type { LinkSeal } from "../adapters/linkSeal.ts";
import type { Store } from "../adapters/mongo/store.ts";
import type { SendQueues } from "../adapters/redis/sendQueues.ts";
import type { Runs } from "../adapters/temporal/client.ts";
import type { CohortKeys } from "../adapters/vault/cohortKeys.ts";
import type { Encryption } from "../adapters/vault/encryption.ts";
import type { SubjectKeys } from "../adapters/vault/subjectKeys.ts";
import type { Certificates } from "../audit/certificate.ts";
import type { Checkpoints } from "../audit/checkpoints.ts";
import type { Evidence } from "../audit/evidence.ts";
import type { IdKind } from "../domain/ids.ts";
import type { Policies } from "../policies/index.ts";
import type { Publish } from "../policies/publish.ts";

export type ActivityDeps = {
	/** Epoch milliseconds. */
	clock: () => number;
	/** Milliseconds that no one can set. */
	monotonic: () => number;
	/** What time Vault has, epoch ms, to the second. */
	vaultTime: () => Promise<number>;
	/** In [0, 1). */
	random: () => number;
	ids: { random: (kind: IdKind) => string; derive: (kind: IdKind, text: string) => string };
	log: { info: LogCall; warn: LogCall; error: LogCall };
	store: Store;
	runs: Pick<Runs, "start" | "startPurge" | "startRetime" | "startSimulate" | "wakeRequest" | "settle" | "settleSoon">;
	ledger: Pick<Ledger, "beat" | "forget" | "put">;
	sendQueues: Pick<SendQueues, "add" | "areIll" | "depth" | "takeTurn" | "tellWaiting" | "waiting" | "lead">;
	/** Rate of a send queue that names none. */
	segmentsPerSecondDefault: number;
	encryption: Pick<Encryption, "decrypt" | "forgetCohort" | "rewrap">;
	linkSeal: Pick<LinkSeal, "carriedText">;
	cohorts: Pick<Cohorts, "ensure" | "isAt">;
	cohortKeys: Pick<CohortKeys, "destroyCohortKey" | "exists">;
	exportSeal: Pick<ExportSeal, "seal">;
	subjectKeys: Pick<SubjectKeys, "destroySubjectKey" | "removeCredential">;
	certificates: Certificates;
	evidence: Evidence;
	keyRotation: Pick<KeyRotation, "renew">;
	/** How long a cohort's key is used before it is made new. */
	cohortKeyPeriodMs: number;
	checkpoints: Pick<Checkpoints, "publish">;
	policies: Pick<Policies, "reevaluate" | "isCapped" | "replan" | "retentionPlan" | "excluded" | "inForce" | "preview">;
	publish: Pick<Publish, "settle">;
	carriers: {
		sender: (sendQueue: string) => Promise<Carrier | undefined>;
		/** Whether that queue's carrier is asked to forget what is final. */
		redacts: (sendQueue: string) => Promise<boolean>;
	};
};

type LogCall = (fields: Record<string, unknown>, message: string) => void;
