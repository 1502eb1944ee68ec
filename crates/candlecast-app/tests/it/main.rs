//! Integration tests of the use cases, over a store in a folder of their own and the generated market.

mod audit_rank;
