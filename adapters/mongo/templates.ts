// Templates in the store: never changed once they are there, only retired.

import type { mongo } from "mongoose";
import type { Template } from "../../domain/template.ts";
import { findPage, type Place } from "./findPage.ts";
import { guardStore } from "./guard.ts";
import { insertOnce } from "./insertOnce.ts";

/** `category`, where there is one, is the only one it may be used for. Times are epoch milliseconds. */
export type TemplateDocument = Template & {
	_id: string;
	tenantId: string;
	name: string;
	category?: string;
	createdAt: number;
	createdBy: string;
	retiredAt?: number;
};

/** @throws LetheError store_unavailable */
export function createTemplateStore(collection: mongo.Collection<TemplateDocument>) {
	return {
		find: (id: string) => guardStore(async () => (await collection.findOne({ _id: id })) ?? undefined),
		/** False when one of that id stands. */
		insert: (template: TemplateDocument) => guardStore(() => insertOnce(collection, template)),
		/** All of that name, live or retired. */
		findByName: (tenantId: string, name: string) => guardStore(() => collection.find({ tenantId, name }).toArray()),
		/** Takes back one that nobody was told of. */
		delete: (id: string) => guardStore(async () => void (await collection.deleteOne({ _id: id }))),
		/** Of those in force: one that was retired makes room for another. */
		countLive: (tenantId: string) =>
			guardStore(async () => {
				// Sorted out here: a condition beside the indexed ones makes some servers scan.
				const all = await collection.find({ tenantId }, { projection: { retiredAt: 1 } }).toArray();
				return all.filter(({ retiredAt }) => retiredAt === undefined).length;
			}),
		deleteByTenant: (tenantId: string) => guardStore(async () => void (await collection.deleteMany({ tenantId }))),
		/** A page of a tenant's templates, newest first, after the cursor's place. */
		page: (tenantId: string, itemsMax: number, after?: Place) =>
			findPage(collection, { tenantId }, "createdAt", { itemsMax, after }),
		/** From then on it fills no new message; a repeat changes nothing. */
		retire: (id: string, now: number) =>
			guardStore(async () => {
				const filter = { _id: id, retiredAt: { $exists: false } };
				await collection.updateOne(filter, { $set: { retiredAt: now } });
			}),
	};
}
