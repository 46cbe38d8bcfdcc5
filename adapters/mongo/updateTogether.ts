// Changes of the same form written together: one update of many documents costs a store a fraction of as many updates of one.

import { isDeepStrictEqual } from "node:util";
import type { mongo } from "mongoose";

/** One document's update, which applies while its conditions hold. */
export type Change = { id: string; conditions: Record<string, unknown>; update: Update };

/** The operators that a change may use, as the store documents them; no path names a place in an array, nor stands there twice. */
export type Update = {
	$set: Record<string, unknown>;
	$unset: string[];
	$push: Record<string, { $each: unknown[]; $slice?: number }>;
	$min: Record<string, number>;
};

// Each document's own values, while the update is under way.
const values = "own";

/** Operations that do to each document what its own change says. An id may be among the changes once. */
export function updateTogether(changes: Change[]): mongo.AnyBulkWriteOperation<{ _id: string }>[] {
	return [...Map.groupBy(changes, formOf).values()].map((group) => {
		const [{ id, conditions, update }] = group as [Change];
		if (group.length === 1) return { updateOne: { filter: { _id: id, ...conditions }, update: plain(update) } };
		const filter = { _id: { $in: group.map((one) => one.id) }, ...conditions };
		return { updateMany: { filter, update: isAlike(group) ? plain(update) : pipelineOf(group) } };
	});
}

/** What changes have in common that differ only in values. */
function formOf({ conditions, update: { $set, $unset, $push, $min } }: Change): string {
	const pushes = Object.entries($push).map(([path, { $slice }]) => [path, $slice]);
	return JSON.stringify([conditions, Object.keys($set), $unset, pushes, Object.keys($min)]);
}

function isAlike([first, ...others]: Change[]): boolean {
	return others.every(({ update }) => isDeepStrictEqual(update, first?.update));
}

function plain({ $set, $unset, $push, $min }: Update): mongo.UpdateFilter<{ _id: string }> {
	const operators = { $set, $unset: Object.fromEntries($unset.map((path) => [path, 1])), $push, $min };
	return Object.fromEntries(Object.entries(operators).filter(([, paths]) => Object.keys(paths).length > 0));
}

// Nothing of a document's own is ever an expression: all of it stands in one literal, by the place of its id.
function pipelineOf(group: Change[]): mongo.Document[] {
	const [{ update }] = group as [Change];
	const ids = group.map(({ id }) => id);
	const own = group.map(({ update: { $set, $push, $min } }) => [
		...Object.values($set),
		...Object.values($push).map(({ $each }) => $each),
		...Object.values($min),
	]);
	let place = 0;
	const next = () => ({ $arrayElemAt: [`$${values}`, place++] });
	const set = Object.keys(update.$set).map((path) => [path, next()]);
	const push = Object.entries(update.$push).map(([path, { $slice }]) => {
		const all = { $concatArrays: [{ $ifNull: [`$${path}`, []] }, next()] };
		return [path, $slice === undefined ? all : { $slice: [all, $slice] }];
	});
	const min = Object.keys(update.$min).map((path) => [path, { $min: [`$${path}`, next()] }]);
	return [
		{ $set: { [values]: { $arrayElemAt: [{ $literal: own }, { $indexOfArray: [{ $literal: ids }, "$_id"] }] } } },
		{ $set: Object.fromEntries([...set, ...push, ...min]) },
		{ $unset: [values, ...update.$unset] },
	];
}
