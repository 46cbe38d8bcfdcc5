// The OpenAPI document says what an answer leads on to: whoever made or listed a thing goes on by its id.

type Answer = { links?: Record<string, object> };
type Operation = { operationId?: string; security?: object[]; responses?: Record<string, Answer> };
type Paths = Record<string, Record<string, Operation>>;

/** Where the id stands, as a JSON pointer, and the path that it is below. */
type Lead = [pointer: string, base: string];

const toMessages: Lead[] = [["/items/0/id", "/v1/messages"]];
/** Answers that hold ids otherwise than by their method, or of things elsewhere. */
const exceptions: Record<string, Lead[]> = {
	createBatch: [["/id", "/v1/batches"], ...toMessages],
	getBatch: toMessages,
	searchMessages: toMessages,
	searchConsents: [["/items/0/id", "/v1/consents"]],
	searchRecipientKeys: [["/items/0/id", "/v1/recipient-keys"]],
	recordOptOut: [["/items/0/id", "/v1/opt-outs"]],
};
const usually: Record<string, (path: string) => Lead[]> = {
	post: (path) => [["/id", path]],
	get: (path) => [["/items/0/id", path]],
};

/**
 * Adds to the document's answers their links: what a POST to a path made, and the first of what a GET of it lists, is the
 * `{id}` of every path below.
 */
export function linkOperations<Document extends { paths?: unknown }>(document: Document): Document {
	const paths = (document.paths ?? {}) as Paths;
	for (const [path, methods] of Object.entries(paths)) {
		for (const [method, operation] of Object.entries(methods)) {
			const leads = exceptions[operation.operationId ?? ""] ?? usually[method]?.(path) ?? [];
			for (const lead of leads) link(operation, lead, paths);
		}
	}
	return document;
}

function link(from: Operation, [pointer, base]: Lead, paths: Paths): void {
	const targets = Object.entries(paths)
		.filter(([path]) => path.startsWith(`${base}/{id}`))
		.flatMap(([, methods]) => Object.values(methods))
		// Where a browser is sent back to is nothing that a caller goes on with.
		.filter(({ security = [] }) => security.length > 0);
	if (targets.length === 0) return;
	const links = Object.fromEntries(
		targets.map(({ operationId = "" }) => [
			operationId,
			{ operationId, parameters: { id: `$response.body#${pointer}` } },
		]),
	);
	for (const [status, answer] of Object.entries(from.responses ?? {})) {
		if (status.startsWith("2")) answer.links = { ...answer.links, ...links };
	}
}
