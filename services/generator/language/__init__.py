"""Words about pictures: prompts that are suggested and references that are described."""
