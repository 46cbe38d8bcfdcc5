// Proposals, published versions and the passes that apply them, in the store; and the messages, read page by page.

import type { mongo } from "mongoose";
import type { Message } from "../../domain/message.ts";
import {
	type PolicyVersion,
	type Proposal,
	type ProposalChange,
	type ProposalState,
	proposalStatesBefore,
	type Retiming,
} from "../../domain/proposal.ts";
import { findDue } from "./findDue.ts";
import { findPage, type Place } from "./findPage.ts";
import { guardStore } from "./guard.ts";
import { insertOnce } from "./insertOnce.ts";
import { wholeOrStored } from "./setAside.ts";

/** A message without its ciphertext: all that judging it anew takes. */
export type ScannedMessage = Omit<Message, "content" | "address"> & {
	content?: Omit<NonNullable<Message["content"]>, "ciphertext">;
	address?: Omit<NonNullable<Message["address"]>, "ciphertext">;
};

/** Proposals: inserted once, changed by conditional updates that append to the history. */
export function createProposalStore(collection: mongo.Collection<Proposal>, deps: { clock: () => number }) {
	return {
		/** False when one of that id stands. */
		insert: (proposal: Proposal) => guardStore(() => insertOnce(collection, proposal)),
		find: (id: string) => guardStore(async () => (await collection.findOne({ _id: id })) ?? undefined),
		/** A page, newest first, after the cursor's place. */
		page: (state: ProposalState | undefined, itemsMax: number, after?: Place) =>
			findPage(collection, state ? { state } : {}, "createdAt", { itemsMax, after }),
		countPublished: () => guardStore(() => collection.countDocuments({ state: "published" })),
		findDue: (now: number, itemsMax: number) => findDue(collection, now, itemsMax),
		/** True if it took effect. */
		change: (id: string, { to, by, from, where = {}, set = {}, unset = [] }: ProposalChange) =>
			guardStore(async () => {
				const states = from ?? (to ? proposalStatesBefore(to) : undefined);
				const filter = { ...where, _id: id, ...(states ? { state: { $in: states } } : {}) };
				const update: Record<string, Record<string, unknown>> = { $set: { ...set, ...(to ? { state: to } : {}) } };
				if (Object.keys(update.$set ?? {}).length === 0) delete update.$set;
				if (unset.length > 0) update.$unset = Object.fromEntries(unset.map((path) => [path, 1]));
				if (to) update.$push = { history: { state: to, at: deps.clock(), by } };
				const result = await collection.updateOne(filter as mongo.Filter<Proposal>, update as never);
				return result.matchedCount === 1;
			}),
	};
}

/** Published versions: inserted, never changed. */
export function createPolicyVersionStore(collection: mongo.Collection<PolicyVersion>) {
	return {
		newest: () =>
			guardStore(async () => {
				const newest = collection.find({}, { projection: { digest: 1 } }).sort({ _id: -1 });
				return (await newest.limit(1).toArray())[0]?.digest;
			}),
		all: () => guardStore(() => collection.find({}).sort({ _id: 1 }).toArray()),
		/** False when that revision is taken. */
		insert: (version: PolicyVersion) => guardStore(() => insertOnce(collection, version)),
	};
}

/** Passes over all messages, one after the other. */
export function createRetimingStore(collection: mongo.Collection<Retiming>) {
	return {
		/** False when another process has begun that pass. */
		insert: (retiming: Retiming) => guardStore(() => insertOnce(collection, retiming)),
		find: (id: string) => guardStore(async () => (await collection.findOne({ _id: id })) ?? undefined),
		latest: () => guardStore(async () => (await collection.find({}).sort({ sequence: -1 }).limit(1).toArray())[0]),
		/** Moves a running pass on from `cursor`; false when another process was faster. */
		advance: (id: string, cursor: string, set: Partial<Retiming>) =>
			guardStore(async () => {
				const filter = { _id: id, cursor, state: "running" } as const;
				return (await collection.updateOne(filter, { $set: set })).matchedCount === 1;
			}),
	};
}

/** Reads messages of all tenants in the order of their ids: each page costs what it holds. */
export function createMessageScan(collection: mongo.Collection<Message>) {
	const projection = { "content.ciphertext": 0, "address.ciphertext": 0 };
	return {
		/**
		 * The next page after that id; empty at the end. Of one that nobody can read there is what is not packed: without its facts
		 * nobody judges it, and it keeps no other waiting.
		 */
		scan: (after: string, itemsMax: number) =>
			guardStore(
				async () =>
					(await collection
						.find({ _id: { $gt: after } }, { projection })
						.sort({ _id: 1 })
						.limit(itemsMax)
						.map(wholeOrStored)
						.toArray()) as ScannedMessage[],
			),
		countAll: () => guardStore(() => collection.estimatedDocumentCount()),
	};
}
