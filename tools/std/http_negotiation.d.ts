// The part of @std/http/negotiation that the project uses; tests/std_stand_ins_test.ts holds it to the real types.
export declare function accepts(
  request: Pick<Request, "headers">,
  ...types: string[]
): string | undefined;
