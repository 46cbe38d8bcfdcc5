// Every suite by name, with the figures that it answers: what records, judgements and tables are typed by.

import type { acceptSuite } from "./accept.ts";
import type { batchSuite } from "./batch.ts";
import type { costSuite } from "./cost.ts";
import type { encryptSuite } from "./encrypt.ts";
import type { measureFairness } from "./fairness.ts";
import type { growthSuite } from "./growth.ts";
import type { lifecycleSuite, sharingSuite } from "./lifecycle.ts";
import type { pageSuite } from "./page.ts";
import type { peersSuite } from "./peers.ts";
import type { policySuite } from "./policy.ts";
import type { purgeSuite } from "./purge.ts";
import type { queuesSuite } from "./queues.ts";
import type { soakSuite } from "./soak.ts";

type Answer<Suite extends (...options: never[]) => Promise<unknown>> = Awaited<ReturnType<Suite>>;

export type Suites = {
	lifecycle: Answer<typeof lifecycleSuite> & Answer<typeof sharingSuite>;
	batch: Answer<typeof batchSuite>;
	accept: Answer<typeof acceptSuite>;
	encrypt: Answer<typeof encryptSuite>;
	queues: Answer<typeof queuesSuite> & { fairness: Answer<typeof measureFairness> };
	purge: Answer<typeof purgeSuite>;
	growth: Answer<typeof growthSuite>;
	peers: Answer<typeof peersSuite>;
	soak: Answer<typeof soakSuite>;
	page: Answer<typeof pageSuite>;
	cost: Answer<typeof costSuite>;
	policy: Answer<typeof policySuite>;
};
