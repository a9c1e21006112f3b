/// A server in memory, for the tests of an app.
library;

export 'src/fake.dart';
