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

// A store looks each document's values up among those of all: beyond some tens, that costs more than another update.
const ownMax = 50;

/** Operations that do to each document what its own change says. An id may be among the changes once. */
export function updateTogether(changes: Change[]): mongo.AnyBulkWriteOperation<{ _id: string }>[] {
	return [...Map.groupBy(changes, formOf).values()].flatMap((group) => {
		if (group.length > 1 && isAlike(group)) return [updateMany(group, plain((group as [Change])[0].update))];
		const parts = Array.from({ length: Math.ceil(group.length / ownMax) }, (_, part) =>
			group.slice(part * ownMax, (part + 1) * ownMax),
		);
		return parts.map((part) => (part.length === 1 ? updateOne(part[0] as Change) : updateMany(part, pipelineOf(part))));
	});
}

function updateOne({ id, conditions, update }: Change) {
	return { updateOne: { filter: { _id: id, ...conditions }, update: plain(update) } };
}

/** @param group of one form */
function updateMany(group: Change[], update: mongo.UpdateFilter<{ _id: string }> | mongo.Document[]) {
	const [{ conditions }] = group as [Change];
	return { updateMany: { filter: { _id: { $in: group.map(({ id }) => id) }, ...conditions }, update } };
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
