import 'exceptions.dart';

/// Reads fields of a JSON object. What the contract promises must be there and of its type, or the answer is
/// not lamina's; what was added later may be missing. Unknown fields are left alone.
extension Reading on Map<String, Object?> {
  /// A required field.
  T need<T extends Object>(String name) =>
      opt<T>(name) ?? (throw MalformedAnswerException('The answer has no "$name".'));

  /// An optional field; null where it is missing, null or of another type than promised.
  T? opt<T extends Object>(String name) {
    final value = this[name];
    if (value is T) return value;
    // 4.0 is 4 for an int, and 4 is 4.0 for a double.
    if (value is num) {
      if (T == double) return value.toDouble() as T;
      if (T == int && value == value.roundToDouble()) return value.toInt() as T;
    }
    return null;
  }

  /// A required time.
  DateTime needTime(String name) =>
      DateTime.tryParse(need<String>(name))?.toUtc() ??
      (throw MalformedAnswerException('"$name" of the answer is not a time.'));

  /// An optional time.
  DateTime? optTime(String name) => DateTime.tryParse(opt<String>(name) ?? '')?.toUtc();

  /// A required address.
  Uri needUri(String name) =>
      Uri.tryParse(need<String>(name)) ??
      (throw MalformedAnswerException('"$name" of the answer is not an address.'));

  /// An optional address.
  Uri? optUri(String name) {
    final text = opt<String>(name);
    return text == null ? null : Uri.tryParse(text);
  }
}

/// [value] as a JSON object, or an exception that says it is none.
Map<String, Object?> asObject(Object? value) => switch (value) {
  final Map<String, Object?> map => map,
  _ => throw const MalformedAnswerException('The answer is not a JSON object.'),
};
