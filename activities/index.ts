// The steps of the workflows, wired: what each needs comes in by closure.

import type { Certificates } from "../audit/certificate.ts";
import type { Carrier } from "../adapters/carriers/carrier.ts";
import type { Store } from "../adapters/mongo/store.ts";
import type { SendQueues } from "../adapters/redis/sendQueues.ts";
import type { Runs } from "../adapters/temporal/client.ts";
import type { CohortKeys } from "../adapters/vault/cohortKeys.ts";
import type { Encryption } from "../adapters/vault/encryption.ts";
import type { Decision, Facts } from "../domain/decision.ts";
import type { IdKind } from "../domain/ids.ts";
import { createCertify } from "./certify.ts";
import { createDeliver } from "./deliver.ts";
import { createFinalise } from "./finalise.ts";
import { createPrepare } from "./prepare.ts";
import { createPurge } from "./purge.ts";
import { createResolve } from "./resolve.ts";
import { createSweep } from "./sweep.ts";
import { createUnpark } from "./unpark.ts";

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

export type Activities = ReturnType<typeof createActivities>;

/** Everything the Temporal worker runs. */
export function createActivities(deps: ActivityDeps) {
	const unpark = createUnpark(deps);
	const certify = createCertify(deps);
	const prepare = createPrepare(deps);
	const deliver = createDeliver(deps);
	const resolve = createResolve({ ...deps, unpark });
	const sweep = createSweep({ ...deps, prepare, deliver, resolve, certify });
	return {
		prepare: prepare.prepare,
		deliver: deliver.deliver,
		finalise: createFinalise({ ...deps, certify }),
		...createPurge(deps),
		sweepPage: sweep.sweepPage,
	};
}
