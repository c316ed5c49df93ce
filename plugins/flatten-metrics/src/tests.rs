mod collector;
mod kit;
mod odd;
mod settings;
mod shape;
