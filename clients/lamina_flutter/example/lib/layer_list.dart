import 'package:flutter/material.dart';
import 'package:lamina_client/lamina_client.dart';

/// The layers by name, uppermost first: shown or hidden, and the chosen one at an opacity.
class LayerList extends StatelessWidget {
  const LayerList({required this.arrangement, required this.selected, required this.onChanged, super.key});

  final LayerArrangement arrangement;
  final String? selected;
  final ValueChanged<LayerArrangement> onChanged;

  @override
  Widget build(BuildContext context) => Column(
    children: [
      for (final placed in arrangement.layers.reversed) ...[
        TextButton(
          onPressed: () => onChanged(arrangement.show(placed.layer.id, visible: !placed.visible)),
          child: Text('${placed.visible ? '●' : '○'}  ${placed.layer.name ?? placed.layer.id}'),
        ),
        if (placed.layer.id == selected)
          Slider(
            value: placed.opacity,
            onChanged: (opacity) => onChanged(arrangement.fade(placed.layer.id, opacity)),
          ),
      ],
    ],
  );
}
