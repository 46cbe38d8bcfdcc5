// The OpenAPI document says of each body whether it may be left out, which the generator does not look at.

type Json = { [key: string]: unknown };
type Operation = { requestBody?: { required?: boolean; content?: Record<string, { schema?: Json }> } };

/** The document, with the bodies that may be null as bodies that may be absent: the API takes both alike. */
export function markOptionalBodies<Document extends { paths?: unknown }>(document: Document): Document {
	const paths = (document.paths ?? {}) as Record<string, Record<string, Operation>>;
	for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods))) {
		const { requestBody } = operation;
		const schema = requestBody?.content?.["application/json"]?.schema;
		if (requestBody && schema && takesNull(schema)) requestBody.required = false;
	}
	return document;
}

function takesNull({ type, anyOf }: Json): boolean {
	return [type].flat().includes("null") || (Array.isArray(anyOf) && anyOf.some((one) => takesNull(one as Json)));
}
