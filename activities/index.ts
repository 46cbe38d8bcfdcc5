// The steps of the workflows, wired: what each needs comes in by closure.

import { createAdmit } from "./admit.ts";
import { createCertify } from "./certify.ts";
import { createClockGuard } from "./clockGuard.ts";
import { createConfirm } from "./confirm.ts";
import { deleteRecord } from "./deleteRecord.ts";
import { createDeliver } from "./deliver.ts";
import type { ActivityDeps } from "./deps.ts";
import { createDropEndedHolds } from "./dropEndedHolds.ts";
import { createEraseSubject } from "./eraseSubject.ts";
import { createExportSubject } from "./exportSubject.ts";
import { createFinalise } from "./finalise.ts";
import { createIntegrate } from "./integrate.ts";
import { createOffboard } from "./offboard.ts";
import { createPrepare } from "./prepare.ts";
import { createPurge } from "./purge.ts";
import { createRefund } from "./refund.ts";
import { createRejudge } from "./rejudge.ts";
import { createRenewKeys } from "./renewKeys.ts";
import { createResolve } from "./resolve.ts";
import { createRetime } from "./retime.ts";
import { createRevealMessage } from "./revealMessage.ts";
import { createSimulate } from "./simulate.ts";
import { createStepRequest } from "./stepRequest.ts";
import { createSweep } from "./sweep.ts";
import { createSweepRequests } from "./sweepRequests.ts";
import { createTenancy } from "./tenancy.ts";
import { createTend } from "./tend.ts";
import { createUnpark } from "./unpark.ts";

export type Activities = ReturnType<typeof createActivities>;

/** Everything the Temporal worker runs. */
export function createActivities(deps: ActivityDeps) {
	const { checkClock, withClock } = createClockGuard(deps);
	const unpark = createUnpark(deps);
	const certify = createCertify(deps);
	const refund = createRefund(deps);
	const rejudge = createRejudge(deps);
	const prepare = createPrepare({ ...deps, rejudge, checkClock });
	const tenancy = createTenancy(deps);
	const deliver = createDeliver({ ...deps, prepare, tenancy, admit: createAdmit(deps) });
	const resolve = createResolve({ ...deps, unpark });
	const steps = { confirm: createConfirm(deps), prepare, deliver, resolve, certify, tend: createTend(deps), unpark };
	const retime = createRetime({ ...deps, rejudge });
	const subject = { eraseSubject: createEraseSubject(deps), exportSubject: createExportSubject(deps) };
	const sweepRequests = createSweepRequests(deps);
	const offboard = createOffboard({ ...deps, deleteRecord: (message) => deleteRecord(deps, message) });
	const more = {
		sweepRequests,
		integrate: createIntegrate(deps),
		renewKeys: createRenewKeys(deps),
		offboard,
		refund,
		dropEndedHolds: createDropEndedHolds(deps),
	};
	const sweep = createSweep({ ...deps, ...steps, ...more, retime });
	return {
		prepare: prepare.prepare,
		deliver: deliver.deliver,
		finalise: createFinalise({ ...deps, certify, refund, checkClock }),
		...withClock(createPurge(deps)),
		...withClock({ retimePages: retime.retimePages }),
		...createSimulate(deps),
		...createRevealMessage(deps),
		...withClock(createStepRequest({ ...deps, ...subject })),
		...withClock({ sweepPage: sweep.sweepPage }),
	};
}
