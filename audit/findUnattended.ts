// Send queues that nobody works: what waits there goes nowhere, though every server may be well.

import type { SendQueueDocument } from "../adapters/mongo/models.ts";

type Deps = {
	store: { sendQueues: { all: () => Promise<SendQueueDocument[]> } };
	sendQueues: { senderCount: (name: string) => Promise<number> };
};

/** Ids of those that are not paused and that no sender works. @param own of these only */
export async function findUnattended({ store, sendQueues }: Deps, own?: readonly string[]): Promise<string[]> {
	const queues = (await store.sendQueues.all()).filter(({ _id, paused }) => !paused && (own?.includes(_id) ?? true));
	const counts = await Promise.all(queues.map(({ _id }) => sendQueues.senderCount(_id)));
	return queues.flatMap(({ _id }, index) => (counts[index] === 0 ? [_id] : []));
}
