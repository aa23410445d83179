//! Who a client is: tokens, keys and the words in which they travel.
