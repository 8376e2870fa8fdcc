//! Where the brokers come from: options, environment, configuration file, or the built-in broker.
