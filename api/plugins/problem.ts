// Every failure as RFC 9457 problem+json: a code of the catalogue, never a value that the caller sent.

import type { FastifyReply, FastifyRequest } from "fastify";
import { describeCause } from "../../domain/describeCause.ts";
import { type ErrorCode, errorCatalogue, type FieldError, LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { ApiDeps } from "../deps.ts";
import type { Fault } from "../validator.ts";

export const problemType = "application/problem+json";

export type Problem = ReturnType<ReturnType<typeof createProblem>["document"]>;

/** Turns failures into problem documents; what the caller may not see goes to the log, by name and code only. */
export function createProblem(deps: Pick<ApiDeps, "log" | "publicUrl">) {
	function document(error: LetheError, requestId: string) {
		const { status, retryable, title } = errorCatalogue[error.code];
		return {
			...error.extra,
			type: `${deps.publicUrl}/errors/${error.code}`,
			title,
			status,
			code: error.code,
			retryable,
			requestId,
			...(error.errors.length > 0 ? { errors: error.errors } : {}),
		};
	}

	/** Status and headers of the answer, and the log's line where the failure is ours. */
	function begin(thrown: unknown, request: FastifyRequest, reply: FastifyReply): LetheError {
		const error = toLetheError(thrown, request.routeOptions?.bodyLimit);
		const { status, retryable } = errorCatalogue[error.code];
		if (status >= 500) {
			const route = request.routeOptions?.url ?? "none";
			deps.log.error({ requestId: request.id, route, code: error.code, cause: describeCause(error.cause) }, "failed");
		}
		if (status === 401) reply.header("www-authenticate", challenges[error.code] ?? "Bearer");
		if (retryable && status !== 500 && !reply.hasHeader("retry-after")) {
			reply.header("retry-after", String(error.extra.retryAfterSeconds ?? 1));
		}
		reply.code(status);
		return error;
	}

	return {
		document,
		begin,
		/** Answers a request with the problem that `thrown` is. */
		send(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
			const error = begin(thrown, request, reply);
			// As text: the route's response schemas are for what it answers when all goes well.
			return reply.type(problemType).send(JSON.stringify(document(error, request.id)));
		},
	};
}

/** RFC 6750, 3.1; RFC 9449, 7.1. */
const challenges: Partial<Record<ErrorCode, string>> = {
	token_invalid: 'Bearer error="invalid_token"',
	proof_invalid: 'DPoP error="invalid_dpop_proof"',
};

const notJson: FieldError = { pointer: "", detail: "The body is not JSON." };
const frameworkErrors: Record<string, (bodyLimit: number) => [code: ErrorCode, error: FieldError]> = {
	FST_ERR_CTP_INVALID_JSON_BODY: () => ["invalid_request", notJson],
	FST_ERR_CTP_EMPTY_JSON_BODY: () => ["invalid_request", notJson],
	FST_ERR_CTP_BODY_TOO_LARGE: (bodyLimit) => [
		"body_too_large",
		{ pointer: "", detail: `At most ${bodyLimit / 1024} KiB.` },
	],
	// Routes that take others refuse in words of their own.
	FST_ERR_CTP_INVALID_MEDIA_TYPE: () => ["unsupported_media_type", { pointer: "", detail: "Send application/json." }],
};

/** The failure in the catalogue's words. Fastify's own 4xx become `invalid_request`; what is unknown, `internal`. */
function toLetheError(thrown: unknown, bodyLimit: number = limits.bodyBytesMax): LetheError {
	if (thrown instanceof LetheError) return thrown;
	const error = thrown as { code?: string; statusCode?: number; validation?: Fault[]; validationContext?: string };
	const found = frameworkErrors[error?.code ?? ""]?.(bodyLimit);
	if (found) return new LetheError(found[0], { errors: [found[1]] });
	if (Array.isArray(error?.validation)) {
		const place = error.validationContext === "body" ? "" : `/${error.validationContext}`;
		return new LetheError("invalid_request", {
			errors: error.validation.flatMap((fault) => toFieldErrors(fault, place)),
		});
	}
	const status = error?.statusCode ?? 500;
	if (status >= 400 && status < 500) return new LetheError("invalid_request");
	return new LetheError("internal", { cause: thrown });
}

const unknownFieldsTold = 20;
// A field's name as code writes it, which needs no escaping (RFC 6901). Any other may be anything, a number or a text put
// in the wrong place: there the pointer stops at the object that holds it.
const fieldName = /^(?=.{1,32}$)[a-z][A-Za-z]*(?:_[A-Za-z]+)*\d?$/;

// What else stands in a pointer: an index, a country, all countries, a header.
const otherSegment = /^(?:\d{1,4}|[A-Z]{2}|\*|[a-z]{1,16}(?:-[a-z]{1,16})*)$/;

function toFieldErrors({ keyword, instancePath, message, params }: Fault, place: string): FieldError[] {
	const segments = instancePath === "/" ? [] : instancePath.slice(1).split("/");
	const strange = segments.findIndex((segment) => !fieldName.test(segment) && !otherSegment.test(segment));
	const told = strange === -1 ? segments : segments.slice(0, strange);
	const pointer = [place, ...told].join("/");
	if (keyword !== "unrecognized_keys") return [{ pointer, detail: message }];
	const names = (params.keys ?? []).filter((name) => fieldName.test(name)).slice(0, unknownFieldsTold);
	if (names.length === 0) return [{ pointer, detail: "A field here is not known." }];
	return names.map((name) => ({ pointer: `${pointer}/${name}`, detail: "This field is not known." }));
}
