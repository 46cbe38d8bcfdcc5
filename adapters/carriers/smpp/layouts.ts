// Every PDU of SMPP 3.4 with its mandatory fields, and every optional parameter, as the specification lists them.

/** `text` is a C-octet string of at most `max` octets, its terminator among them; `message` an octet string with its length before it. */
export type FieldType =
	| { is: "int"; octets: 1 | 4 }
	| { is: "text"; max: number }
	| { is: "message" }
	| { is: "destinations" }
	| { is: "unsuccessful" };

type Layout = {
	id: number;
	fields: readonly (readonly [name: string, type: FieldType])[];
	/** Whether optional parameters may follow. */
	optional?: boolean;
};

const int: FieldType = { is: "int", octets: 1 };
const text = (max: number): FieldType => ({ is: "text", max });
const message = ["short_message", { is: "message" }] as const;
const messageId = ["message_id", text(65)] as const;
const serviceType = ["service_type", text(6)] as const;
const times = [
	["schedule_delivery_time", text(17)],
	["validity_period", text(17)],
] as const;

const address = (name: string, max = 21) =>
	[
		[`${name}_ton`, int],
		[`${name}_npi`, int],
		[name, text(max)],
	] as const;
const source = address("source_addr");
// The specification shortens the type and number plan of this one.
const destination = (max = 21) =>
	[
		["dest_addr_ton", int],
		["dest_addr_npi", int],
		["destination_addr", text(max)],
	] as const;

const bind = [
	["system_id", text(16)],
	["password", text(9)],
	["system_type", text(13)],
	["interface_version", int],
	["addr_ton", int],
	["addr_npi", int],
	["address_range", text(41)],
] as const;
const bindResponse = [["system_id", text(16)]] as const;

const delivery = [
	["esm_class", int],
	["protocol_id", int],
	["priority_flag", int],
	...times,
	["registered_delivery", int],
	["replace_if_present_flag", int],
	["data_coding", int],
	["sm_default_msg_id", int],
	message,
] as const;

/** SMPP 3.4, 4 and 5.1.2.1. Responses may bear optional parameters, which later versions add: 3.3 has them ignored. */
export const layouts: Record<string, Layout> = {
	generic_nack: { id: 0x80000000, fields: [] },
	bind_receiver: { id: 0x00000001, fields: bind },
	bind_receiver_resp: { id: 0x80000001, fields: bindResponse, optional: true },
	bind_transmitter: { id: 0x00000002, fields: bind },
	bind_transmitter_resp: { id: 0x80000002, fields: bindResponse, optional: true },
	query_sm: { id: 0x00000003, fields: [messageId, ...source] },
	query_sm_resp: {
		id: 0x80000003,
		fields: [messageId, ["final_date", text(17)], ["message_state", int], ["error_code", int]],
	},
	submit_sm: { id: 0x00000004, fields: [serviceType, ...source, ...destination(), ...delivery], optional: true },
	submit_sm_resp: { id: 0x80000004, fields: [messageId], optional: true },
	deliver_sm: { id: 0x00000005, fields: [serviceType, ...source, ...destination(), ...delivery], optional: true },
	deliver_sm_resp: { id: 0x80000005, fields: [messageId], optional: true },
	unbind: { id: 0x00000006, fields: [] },
	unbind_resp: { id: 0x80000006, fields: [] },
	replace_sm: {
		id: 0x00000007,
		fields: [messageId, ...source, ...times, ["registered_delivery", int], ["sm_default_msg_id", int], message],
	},
	replace_sm_resp: { id: 0x80000007, fields: [] },
	cancel_sm: { id: 0x00000008, fields: [serviceType, messageId, ...source, ...destination()] },
	cancel_sm_resp: { id: 0x80000008, fields: [] },
	bind_transceiver: { id: 0x00000009, fields: bind },
	bind_transceiver_resp: { id: 0x80000009, fields: bindResponse, optional: true },
	outbind: {
		id: 0x0000000b,
		fields: [
			["system_id", text(16)],
			["password", text(9)],
		],
	},
	enquire_link: { id: 0x00000015, fields: [] },
	enquire_link_resp: { id: 0x80000015, fields: [] },
	submit_multi: {
		id: 0x00000021,
		fields: [serviceType, ...source, ["dest_address", { is: "destinations" }], ...delivery],
		optional: true,
	},
	submit_multi_resp: {
		id: 0x80000021,
		fields: [messageId, ["unsuccess_sme", { is: "unsuccessful" }]],
		optional: true,
	},
	alert_notification: {
		id: 0x00000102,
		fields: [...address("source_addr", 65), ...address("esme_addr", 65)],
		optional: true,
	},
	data_sm: {
		id: 0x00000103,
		fields: [
			serviceType,
			...address("source_addr", 65),
			...destination(65),
			["esm_class", int],
			["registered_delivery", int],
			["data_coding", int],
		],
		optional: true,
	},
	data_sm_resp: { id: 0x80000103, fields: [messageId], optional: true },
};

/** `int` of as many octets, `text` a C-octet string, `octets` anything; lengths from `min` to `max` octets. */
type Parameter = { tag: number; is: "int" | "text" | "octets"; min: number; max: number };

const whole = (tag: number, octets: number): Parameter => ({ tag, is: "int", min: octets, max: octets });
const octets = (tag: number, min: number, max: number): Parameter => ({ tag, is: "octets", min, max });

/** SMPP 3.4, 5.3.2. */
export const parameters: Record<string, Parameter> = {
	dest_addr_subunit: whole(0x0005, 1),
	dest_network_type: whole(0x0006, 1),
	dest_bearer_type: whole(0x0007, 1),
	dest_telematics_id: whole(0x0008, 2),
	source_addr_subunit: whole(0x000d, 1),
	source_network_type: whole(0x000e, 1),
	source_bearer_type: whole(0x000f, 1),
	// One octet in 5.3.2.8, two as later versions and most peers have it.
	source_telematics_id: { tag: 0x0010, is: "int", min: 1, max: 2 },
	qos_time_to_live: whole(0x0017, 4),
	payload_type: whole(0x0019, 1),
	additional_status_info_text: { tag: 0x001d, is: "text", min: 1, max: 256 },
	receipted_message_id: { tag: 0x001e, is: "text", min: 1, max: 65 },
	ms_msg_wait_facilities: whole(0x0030, 1),
	privacy_indicator: whole(0x0201, 1),
	source_subaddress: octets(0x0202, 2, 23),
	dest_subaddress: octets(0x0203, 2, 23),
	user_message_reference: whole(0x0204, 2),
	user_response_code: whole(0x0205, 1),
	source_port: whole(0x020a, 2),
	destination_port: whole(0x020b, 2),
	sar_msg_ref_num: whole(0x020c, 2),
	language_indicator: whole(0x020d, 1),
	sar_total_segments: whole(0x020e, 1),
	sar_segment_seqnum: whole(0x020f, 1),
	sc_interface_version: whole(0x0210, 1),
	callback_num_pres_ind: whole(0x0302, 1),
	callback_num_atag: octets(0x0303, 0, 65),
	number_of_messages: whole(0x0304, 1),
	callback_num: octets(0x0381, 4, 19),
	dpf_result: whole(0x0420, 1),
	set_dpf: whole(0x0421, 1),
	ms_availability_status: whole(0x0422, 1),
	network_error_code: octets(0x0423, 3, 3),
	message_payload: octets(0x0424, 0, 65535),
	delivery_failure_reason: whole(0x0425, 1),
	more_messages_to_send: whole(0x0426, 1),
	message_state: whole(0x0427, 1),
	ussd_service_op: whole(0x0501, 1),
	display_time: whole(0x1201, 1),
	sms_signal: whole(0x1203, 2),
	ms_validity: whole(0x1204, 1),
	// Without a value here, with one in later versions.
	alert_on_message_delivery: octets(0x130c, 0, 1),
	its_reply_type: whole(0x1380, 1),
	its_session_info: octets(0x1383, 2, 2),
};
