// Failures as Temporal keeps them: type and code stay, messages and stacks, which may quote anything, do not.

import { DefaultFailureConverter, type FailureConverter, type ProtoFailure } from "@temporalio/common";

const inner = new DefaultFailureConverter();
const code = /^[a-z][a-z_]{0,40}$/;

/** Loaded by name through `failureConverterPath`, in clients, workers and the workflow sandbox alike. */
export const failureConverter: FailureConverter = {
	errorToFailure(error, payloadConverter) {
		return strip(inner.errorToFailure(error, payloadConverter));
	},
	failureToError(failure, payloadConverter) {
		return inner.failureToError(failure, payloadConverter);
	},
};

function strip(failure: ProtoFailure): ProtoFailure {
	const message = code.test(failure.message ?? "") ? failure.message : "failed";
	const stripped: ProtoFailure = { ...failure, message, stackTrace: "" };
	if (stripped.cause) stripped.cause = strip(stripped.cause);
	return stripped;
}
