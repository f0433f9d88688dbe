// The part of @std/http/status that the project uses; tests/std_stand_ins_test.ts holds it to the real types.
export declare const STATUS_CODE: {
  readonly OK: 200;
  readonly BadRequest: 400;
  readonly Unauthorized: 401;
  readonly Forbidden: 403;
  readonly NotFound: 404;
  readonly MethodNotAllowed: 405;
  readonly RequestTimeout: 408;
  readonly ContentTooLarge: 413;
  readonly TooManyRequests: 429;
  readonly InternalServerError: 500;
  readonly BadGateway: 502;
  readonly ServiceUnavailable: 503;
  readonly GatewayTimeout: 504;
};
