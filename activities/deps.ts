// What the steps need of the house; each takes only its own share.

import type { Carrier } from "../adapters/carriers/carrier.ts";
import type { Store } from "../adapters/mongo/store.ts";
import type { SendQueues } from "../adapters/redis/sendQueues.ts";
import type { Runs } from "../adapters/temporal/client.ts";
import type { CohortKeys } from "../adapters/vault/cohortKeys.ts";
import type { Encryption } from "../adapters/vault/encryption.ts";
import type { Certificates } from "../audit/certificate.ts";
import type { Decision, Facts } from "../domain/decision.ts";
import type { IdKind } from "../domain/ids.ts";

export type ActivityDeps = {
	/** Epoch milliseconds. */
	clock: () => number;
	/** Milliseconds that no one can set. */
	monotonic: () => number;
	/** In [0, 1). */
	random: () => number;
	ids: { random: (kind: IdKind) => string; derive: (kind: IdKind, text: string) => string };
	log: { info: LogCall; warn: LogCall; error: LogCall };
	store: Store;
	runs: Pick<Runs, "start" | "startPurge" | "settle" | "settleSoon">;
	sendQueues: Pick<SendQueues, "add">;
	encryption: Pick<Encryption, "decrypt" | "forgetCohort">;
	cohortKeys: Pick<CohortKeys, "destroyCohortKey" | "exists">;
	certificates: Certificates;
	policies: { reevaluate: (facts: Facts, at: number) => Decision };
	carriers: { sender: (sendQueue: string) => Promise<Carrier | undefined> };
};

type LogCall = (fields: Record<string, unknown>, message: string) => void;
