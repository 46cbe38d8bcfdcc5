// Links of the OpenAPI document: each leads from a field that the answer has to an operation that takes it, and every thing with an id is led to.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { type OpenApiDocument, readOpenApi } from "../../stack/clientTypes.ts";

type Schema = {
	$ref?: string;
	anyOf?: Schema[];
	allOf?: Schema[];
	properties?: Record<string, Schema>;
	items?: Schema;
};
type Link = { operationId: string; parameters: Record<string, string> };
type Answer = { links?: Record<string, Link>; content?: Record<string, { schema?: Schema }> };
type Operation = OpenApiDocument["paths"][string][string] & { security?: object[] };

describe("the links of the OpenAPI document", () => {
	let document: OpenApiDocument;
	let operations: { path: string; operation: Operation }[];
	before(async () => {
		document = await readOpenApi();
		operations = Object.entries(document.paths).flatMap(([path, methods]) =>
			Object.values(methods).map((operation) => ({ path, operation })),
		);
	});

	const answersOf = ({ responses }: Operation) => Object.values(responses) as Answer[];
	const targetsOf = (operationId: string) =>
		operations
			.filter(({ operation }) => operation.operationId === operationId)
			.flatMap(({ operation }) => answersOf(operation).flatMap(({ links = {} }) => Object.keys(links)));
	function find(schema: Schema | undefined, [step, ...rest]: string[]): boolean {
		if (!schema || step === undefined) return schema !== undefined;
		const { $ref, anyOf = [], allOf = [], properties, items } = schema;
		const referred = $ref && document.components.schemas[$ref.split("/").at(-1) ?? ""];
		if (referred) return find(referred, [step, ...rest]);
		if ([...anyOf, ...allOf].some((one) => find(one, [step, ...rest]))) return true;
		return find(/^\d+$/.test(step) ? items : properties?.[step], rest);
	}

	it("lead from a field of the answer to the one parameter of an operation's path", () => {
		let count = 0;
		for (const { operation } of operations) {
			for (const { links = {}, content } of answersOf(operation)) {
				for (const { operationId, parameters } of Object.values(links)) {
					const why = `${operation.operationId} → ${operationId}`;
					const target = operations.find((other) => other.operation.operationId === operationId);
					assert.deepEqual(target?.path.match(/\{\w+\}/g), ["{id}"], why);
					assert.deepEqual(Object.keys(parameters), ["id"], why);
					const [, pointer = ""] = /^\$response\.body#\/(.+)$/.exec(parameters.id ?? "") ?? [];
					assert.ok(pointer && find(content?.["application/json"]?.schema, pointer.split("/")), why);
					count++;
				}
			}
		}
		assert.ok(count > 100, String(count));
	});

	it("lead to every operation on a thing by its id", () => {
		const reached = new Set(operations.flatMap(({ operation }) => targetsOf(operation.operationId ?? "")));
		const unreached = operations
			.filter(({ path, operation }) => path.includes("{id}") && (operation.security?.length ?? 0) > 0)
			.map(({ operation }) => operation.operationId)
			.filter((id) => !reached.has(id ?? ""));
		assert.deepEqual(unreached, []);
	});

	it("lead from what was made to what is done with it", () => {
		const expected: [from: string, to: string[]][] = [
			["createMessage", ["getMessage", "cancelMessage", "explainDecision", "getSendingReceipt"]],
			["createBatch", ["getBatch", "getMessage"]],
			["createWebhookEndpoint", ["rotateWebhookSecret", "deleteWebhookEndpoint", "listWebhookDeliveries"]],
			["createApiKey", ["getApiKey", "rotateApiKey", "revokeApiKey"]],
			["listQueues", ["pauseQueue", "setQueue"]],
			["recordSubjectRequest", ["identitySubjectRequest", "closeSubjectRequest"]],
			["placeHold", ["approveHold", "releaseHold"]],
			["createPolicyProposal", ["approvePolicyProposal", "publishPolicyProposal", "withdrawPolicyProposal"]],
			["createVerification", ["checkVerification"]],
		];
		for (const [from, to] of expected) {
			const targets = targetsOf(from);
			for (const one of to) assert.ok(targets.includes(one), `${from} → ${one}`);
		}
	});
});
