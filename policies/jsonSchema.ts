// The pack schema as JSON Schema, for editors and for naming what a mistyped field may have meant.

import { z } from "zod";
import { packSchema } from "./schema.ts";

type Node = {
	$ref?: string;
	$defs?: Record<string, Node>;
	anyOf?: Node[];
	properties?: Record<string, Node>;
	items?: Node;
};

/** JSON Schema (2020-12) of a pack file as its author writes it. */
export function packJsonSchema(): Record<string, unknown> {
	const schema = z.toJSONSchema(packSchema, { io: "input", target: "draft-2020-12" });
	return { $id: "pack.schema.json", title: "Lethe policy pack", ...schema };
}

// Made once it is asked for: it takes a while, and a pack may have many mistyped fields.
let root: Node | undefined;

/** The fields that may stand at a place of a pack file, sorted. */
export function fieldsAt(path: readonly (string | number)[]): string[] {
	root ??= packJsonSchema() as Node;
	const whole = root;
	let nodes = [whole];
	for (const key of path) {
		nodes = nodes.flatMap((node) => alternatives(node, whole)).flatMap((node) => step(node, key));
	}
	return [...new Set(nodes.flatMap((node) => alternatives(node, whole)).flatMap(fieldsOf))].sort();
}

function step(node: Node, key: string | number): Node[] {
	const next = typeof key === "number" ? node.items : node.properties?.[key];
	return next ? [next] : [];
}

function fieldsOf({ properties = {} }: Node): string[] {
	return Object.keys(properties);
}

function alternatives(node: Node, root: Node): Node[] {
	if (node.$ref !== undefined) {
		const name = node.$ref.replace("#/$defs/", "");
		const target = name === "#" ? root : root.$defs?.[name];
		return target ? alternatives(target, root) : [];
	}
	return node.anyOf ? node.anyOf.flatMap((part) => alternatives(part, root)) : [node];
}
