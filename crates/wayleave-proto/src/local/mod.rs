//! The agent's front doors: what programs that embed nothing speak to it.
