// undici has no types for the path that loads nothing but its pool.
import { Pool } from "undici";
export default Pool;
